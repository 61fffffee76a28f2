package disk

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Free returns the bytes that this user may still write to the file system of path.
func Free(path string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// Nearest returns path if it is a folder, else the nearest existing folder above.
func Nearest(path string) string {
	for {
		if info, err := os.Stat(path); err == nil && info.IsDir() || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}
