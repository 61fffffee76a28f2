package disk

import (
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Room is what this user may still write to a file system.
type Room struct {
	Bytes int64
	Files int64 // that may still be made: free inodes; [math.MaxInt64] without a limit
	Block int64 // bytes; the last block of a file is filled in part
	// Exact reports that the file system stores each byte as it is. Other file systems may
	// compress, and other machines may grow their disks.
	Exact bool
}

// Ends returns an estimate of the unused bytes in the last blocks of files.
func (r Room) Ends(files int64) int64 { return files * (r.Block / 2) }

// exact are the types of local file systems without compression.
var exact = map[int64]bool{unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.TMPFS_MAGIC: true}

// Free returns the room on the file system of path.
func Free(path string) (Room, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return Room{}, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	r := Room{Bytes: int64(fs.Bavail) * fs.Bsize, Files: int64(fs.Ffree), Block: fs.Bsize, Exact: exact[int64(fs.Type)]}
	if fs.Files == 0 {
		r.Files = math.MaxInt64
	}
	return r, nil
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
