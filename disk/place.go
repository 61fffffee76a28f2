package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Around returns the folder or file that contains the path, also through links, or "".
// The path need not exist.
func Around(path string, folders ...string) string {
	real, err := filepath.EvalSymlinks(path)
	for errors.Is(err, fs.ErrNotExist) { // the path may appear later
		path = filepath.Dir(path)
		real, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return ""
	}
	for {
		dir, err := os.Stat(real)
		if err != nil {
			return ""
		}
		for _, folder := range folders {
			if info, err := os.Stat(folder); err == nil && os.SameFile(info, dir) {
				return folder
			}
		}
		if real == filepath.Dir(real) {
			return ""
		}
		real = filepath.Dir(real)
	}
}

// SameDisk reports whether two paths lie on one file system: a rename can move files from one
// to the other. A missing path lies where its nearest existing folder lies.
func SameDisk(a, b string) bool {
	x, okX := deviceOf(a)
	y, okY := deviceOf(b)
	return okX && okY && x == y
}

func deviceOf(path string) (number uint64, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		info, err = os.Stat(Nearest(path))
	}
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Dev, true
}

// IsInMemory reports whether a path lies on a file system that a restart of the machine
// empties.
func IsInMemory(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(Nearest(path), &fs) == nil && (fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC)
}
