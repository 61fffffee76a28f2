package vault

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"holdfast/disk"
)

// The staging folder lies in the target folder: a rename moves a staged file to
// its final name. No file of an instance has the name of the staging folder.
const (
	stagingName = ".holdfast-restore"
	treeName    = stagingName + "/tree"
)

// Unfinished reports whether a folder holds a restore that was interrupted, and that
// this user can continue.
func Unfinished(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, stagingName))
	return err == nil && checkPrivate(info) == nil
}

// staging is the folder in which a restore prepares its files, locked for this
// process. The folder holds the plan and a tree of files.
type staging struct {
	dir    string
	target *os.Root // the folder that is restored into
	lock   *os.File
	tree   *os.Root
	plan   *plan
}

// openStaging makes or finds the staging folder in dir, and returns the journal
// of an earlier run. The journal is zero if there is nothing to continue. A restore
// believes the plan and the files of the staging folder, so openStaging refuses folders
// that another user can change.
func openStaging(dir string, want purpose) (s *staging, j journal, err error) {
	if err := checkGuarded(dir); err != nil {
		return nil, j, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, j, err
	}
	s = &staging{dir: dir}
	if s.target, err = disk.OpenRoot(dir); err != nil {
		return nil, j, err
	}
	if j, err = s.open(want); err != nil {
		s.close()
		return nil, j, err
	}
	return s, j, nil
}

func (s *staging) open(want purpose) (j journal, err error) {
	stranger, staged, err := s.inspect()
	if err != nil {
		return j, err
	}
	if stranger != "" && !staged {
		return j, refuse(notEmpty(stranger))
	}
	if err := s.lockPrivate(); err != nil {
		return j, err
	}
	if err := s.target.MkdirAll(treeName, 0o700); err != nil {
		return j, err
	}
	if s.tree, err = s.target.OpenRoot(treeName); err != nil {
		return j, err
	}
	if s.plan, err = openPlan(filepath.Join(s.dir, stagingName)); err != nil {
		if !staged { // leave nothing behind
			err = errors.Join(err, s.target.RemoveAll(stagingName))
		}
		return j, err
	}
	if j, err = s.plan.journal(); err != nil {
		return j, err
	}
	return j, s.check(stranger, j, want)
}

// lockPrivate makes or finds the staging folder, and locks the folder. Another user may
// have made the folder first.
func (s *staging) lockPrivate() error {
	err := s.target.Mkdir(stagingName, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if s.lock, err = s.target.OpenFile(stagingName, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0); err != nil {
		return err
	}
	info, err := s.lock.Stat()
	if err != nil {
		return err
	}
	if err := checkPrivate(info); err != nil {
		return err
	}
	entries, err := s.lock.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		if !info.IsDir() && !info.Mode().IsRegular() || disk.FileUser(info) != os.Geteuid() {
			return refuse(fmt.Sprintf("another user made %s/%s; choose another folder", stagingName, e.Name()))
		}
	}
	err = disk.Lock(s.lock)
	if errors.Is(err, disk.ErrLocked) {
		return ErrBusy
	}
	return err
}

// checkGuarded refuses a target that another user can change or replace.
func checkGuarded(dir string) error {
	err := disk.CheckGuarded(disk.Nearest(dir))
	if unguarded := (*disk.Unguarded)(nil); errors.As(err, &unguarded) {
		return refuse(fmt.Sprintf("%v; another user could change the restored files: choose a folder of your own", err))
	}
	return err
}

// checkPrivate refuses a staging folder that another user made or can enter.
func checkPrivate(info fs.FileInfo) error {
	switch {
	case disk.FileUser(info) != os.Geteuid():
		return refuse(fmt.Sprintf("%s belongs to %s; choose another folder, or delete %s",
			stagingName, disk.UserName(disk.FileUser(info)), stagingName))
	case info.Mode().Perm()&0o077 != 0:
		return refuse(fmt.Sprintf("%s is open to other users (mode %04o); choose another folder, or delete %s",
			stagingName, info.Mode().Perm(), stagingName))
	}
	return nil
}

// inspect looks for a staging folder, and returns the first other entry of the target, a
// stranger, or "".
func (s *staging) inspect() (stranger string, staged bool, err error) {
	entries, err := fs.ReadDir(s.target.FS(), ".")
	if err != nil {
		return "", false, err
	}
	for _, e := range entries {
		switch e.Name() {
		case stagingName:
			if staged = true; !e.IsDir() {
				return "", false, refuse(stagingName + " is not a folder")
			}
		case "lost+found": // every new ext4 file system has one
		default:
			stranger = cmp.Or(stranger, e.Name())
		}
	}
	return stranger, staged, nil
}

func notEmpty(stranger string) string {
	return "the folder is not empty (" + stranger + " is there)"
}

// check refuses to continue the work of a different restore, or beside a stranger. If
// there is nothing to continue, check empties the tree.
func (s *staging) check(stranger string, j journal, want purpose) error {
	left, err := fs.ReadDir(s.tree.FS(), ".")
	if err != nil {
		return err
	}
	begun := j.State != unplanned
	for _, c := range []struct {
		when bool
		why  string
	}{
		{!begun && stranger != "" && len(left) > 0,
			"another version of Holdfast left a restore unfinished there; choose another folder, or delete the folder"},
		{begun && !j.Purpose.same(want),
			"a restore of " + j.Purpose.String() + " was left unfinished there; " +
				"finish that restore, choose another folder, or delete the folder"},
		{j.State != complete && stranger != "", notEmpty(stranger)},
	} {
		if !c.when {
			continue
		}
		err := refuse(c.why)
		if !begun && len(left) == 0 {
			// A finished restore was killed while it removed its staging folder.
			err = errors.Join(s.remove(), err)
		}
		return err
	}
	if begun {
		return nil
	}
	return s.empty()
}

func refuse(why string) error { return fmt.Errorf("%s: %w", why, ErrRefused) }

// empty removes all files of the tree.
func (s *staging) empty() error {
	entries, err := fs.ReadDir(s.tree.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.tree.RemoveAll(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// sync makes all files of the target durable.
func (s *staging) sync() error {
	d, err := s.target.Open(".")
	if err != nil {
		return fmt.Errorf("sync restored files: %w", err)
	}
	defer d.Close()
	if err := disk.SyncDisk(d); err != nil {
		return fmt.Errorf("sync restored files: %w", err)
	}
	return nil
}

// publish gives the files of the tree their final names, and removes the
// staging folder. After an interruption, publish may be called again.
func (s *staging) publish() error {
	entries, err := fs.ReadDir(s.tree.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, err := s.target.Lstat(e.Name()); err == nil {
			return refuse(fmt.Sprintf("%q appeared there during the restore", e.Name()))
		}
		if err := s.target.Rename(treeName+"/"+e.Name(), e.Name()); err != nil {
			return err
		}
	}
	if err := s.sync(); err != nil {
		return err
	}
	return s.remove()
}

// remove removes the staging folder, the plan last: after a kill, the next run
// still finds the journal.
func (s *staging) remove() error {
	if err := s.target.RemoveAll(treeName); err != nil {
		return fmt.Errorf("remove staging folder: %w", err)
	}
	if err := s.plan.close(); err != nil {
		return fmt.Errorf("close plan: %w", err)
	}
	s.plan = nil
	if err := s.target.RemoveAll(stagingName); err != nil {
		return fmt.Errorf("remove staging folder: %w", err)
	}
	return nil
}

// close releases the folder, the lock last.
func (s *staging) close() {
	if s.plan != nil {
		s.plan.close()
	}
	if s.tree != nil {
		s.tree.Close()
	}
	if s.lock != nil {
		s.lock.Close()
	}
	s.target.Close()
}
