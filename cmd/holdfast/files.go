package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// writeNew writes a file of mode 0600 that must not exist, durably.
func writeNew(path, text string) error { return copyNew(path, strings.NewReader(text)) }

// copyNew does the same with what r reads.
func copyNew(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return alreadyThere(path)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return fmt.Errorf("write %q: %w", path, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// vacant refuses paths where something is. Where it can't look, the write will
// say so.
func vacant(paths ...string) error {
	if there := existing(paths...); len(there) > 0 {
		return alreadyThere(there...)
	}
	return nil
}

// existing are those of the paths where something is.
func existing(paths ...string) (there []string) {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			there = append(there, path)
		}
	}
	return there
}

func alreadyThere(paths ...string) error {
	verb := "is there already, and is"
	if len(paths) > 1 {
		verb = "are there already, and are"
	}
	return &problem{exit: exitRefused, err: fmt.Errorf("%s %s never overwritten", strings.Join(paths, " and "), verb),
		fix: "use it, name another, or move it away first"}
}

// creatable reports why a folder can't be made, with all above it, or be
// written into where it is there.
func creatable(dir string) error {
	for _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist); _, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	return writable(dir)
}

// writable reports why no file can be made in a folder, or nil.
func writable(dir string) error {
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
