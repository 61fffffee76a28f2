package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"holdfast/rebuild"
	"holdfast/remedy"
)

// workFolder lies as near to the media as a folder is where nobody but root and
// this user can put another in its place: on their disk they are only renamed. It
// is the one where an earlier restore began, if one did; searched is all where one
// was looked for. Where no folder is fit, it is the nearest, and [holdFolder] says
// what is wrong with that.
func workFolder(storage, domain string) (work string, searched []string) {
	nearest := ""
	for dir := storage; ; dir = filepath.Dir(dir) {
		here := filepath.Join(dir, ".holdfast-"+domain)
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			nearest = cmp.Or(nearest, here)
			if rebuild.Guarded(dir) == nil {
				work = cmp.Or(work, here)
				searched = append(searched, here)
				if _, err := os.Stat(filepath.Join(here, journalName)); err == nil {
					return here, []string{here}
				}
			}
		}
		if dir == "/" {
			return cmp.Or(work, nearest), searched
		}
	}
}

// makeFolder makes the work folder, where it isn't there and held yet.
func (r *rebuilding) makeFolder() (err error) {
	if r.held != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(r.work), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(r.work, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	r.held, err = holdFolder(r.work)
	return err
}

// holdFolder takes a folder for this run alone, until it is closed. The whole
// instance will lie in it in the clear, and root will act by its journal: it must
// be this user's alone, and nobody else may put another in its place. That is
// looked at before it is made, too.
func holdFolder(dir string) (*os.File, error) {
	refuse := func(format string, args ...any) error {
		return &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf(format, args...), Fix: "name a folder of your own by --work, or move that one away"}
	}
	if err := rebuild.Guarded(filepath.Dir(dir)); err != nil {
		if p, ok := err.(*remedy.Error); ok {
			p.Fix += ", or name another place by --work"
		}
		return nil, err
	}
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, fs.ErrPermission) {
		return nil, refuse("%s is no folder of this user's", dir)
	}
	if err != nil {
		return nil, err
	}
	is, err := f.Stat()
	switch {
	case err != nil:
	case int(is.Sys().(*syscall.Stat_t).Uid) != os.Geteuid():
		err = refuse("%s belongs to another user", dir)
	case is.Mode().Perm()&0o077 != 0:
		err = refuse("%s is open to other users (mode %04o)", dir, is.Mode().Perm())
	}
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = &remedy.Error{Kind: remedy.Busy, What: "another restore is at work in " + dir, Fix: "wait until it ends"}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
