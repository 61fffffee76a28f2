package vault

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// catFolder is the pattern of the temporary folders of Cat.
const catFolder = "holdfast-cat-*"

// catAfter is how old a folder must be that nobody holds: a younger one may
// belong to a Cat that is just about to.
const catAfter = time.Hour

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

// sweepCats removes what killed runs of this user left in temp: plain text. That
// it can't is no reason to fail.
func sweepCats(temp string) {
	dirs, _ := filepath.Glob(filepath.Join(temp, catFolder))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < catAfter {
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
