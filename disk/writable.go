package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// CheckWritable returns why this user can't make a file in a folder, or nil.
func CheckWritable(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "use", Path: dir, Err: unix.ENOTDIR}
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return &fs.PathError{Op: "write into", Path: dir, Err: err}
	}
	return nil
}

// CheckCreatable returns why this user can't make a folder, with the folders above
// it, or can't write into it if it exists.
func CheckCreatable(dir string) error {
	for _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist); _, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	return CheckWritable(dir)
}

// CheckFillable returns why nobody, not even root, can make files in a folder, or nil. The
// error is a [fs.PathError]: fs.ErrNotExist if a link leads to a missing folder, ENOTDIR if
// a file is in the way, and EROFS if the disk is mounted read-only. The folder may be missing.
func CheckFillable(dir string) error {
	info, err := os.Stat(dir)
	for errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		if _, isLink := os.Lstat(dir); isLink == nil {
			return &fs.PathError{Op: "follow", Path: dir, Err: fs.ErrNotExist}
		}
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "use", Path: dir, Err: unix.ENOTDIR}
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err == nil && disk.Flags&unix.ST_RDONLY != 0 {
		return &fs.PathError{Op: "write into", Path: dir, Err: unix.EROFS}
	}
	return nil
}
