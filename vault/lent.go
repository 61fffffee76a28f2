package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The names of the folders of Lend: one that is made and locked, and one that is
// used, which is locked as long as its process lives.
const (
	newLent  = ".holdfast-read-*"
	usedLent = "holdfast-read-*"
)

// newAfter is how old a folder must be that nobody locked: a younger one may
// belong to a process that is just about to.
const newAfter = time.Hour

// makeLent makes a folder for plain text in temp, and locks it until it is closed.
func makeLent(temp string) (dir string, held *os.File, err error) {
	if dir, err = os.MkdirTemp(temp, newLent); err != nil {
		return "", nil, err
	}
	if held, err = hold(dir); err != nil {
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	used := filepath.Join(temp, strings.TrimPrefix(filepath.Base(dir), "."))
	if err := os.Rename(dir, used); err != nil {
		return "", nil, errors.Join(err, held.Close(), os.Remove(dir))
	}
	return used, held, nil
}

// hold locks a folder until it is closed.
func hold(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweepLent removes what killed runs of this user left in temp: plain text. That
// it can't is no reason to fail.
func sweepLent(temp string) {
	used, _ := filepath.Glob(filepath.Join(temp, usedLent))
	fresh, _ := filepath.Glob(filepath.Join(temp, newLent))
	for _, dir := range append(used, fresh...) {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || strings.HasPrefix(info.Name(), ".") && time.Since(info.ModTime()) < newAfter {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
			continue
		}
		if held, err := hold(dir); err == nil {
			os.RemoveAll(dir)
			held.Close()
		}
	}
}
