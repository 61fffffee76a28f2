package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Unguarded reports a file or folder that another user can change or replace.
type Unguarded struct {
	Path string
	User int         // the user that Path belongs to, or -1 if the mode is at fault
	Mode fs.FileMode // of Path
}

func (e *Unguarded) Error() string {
	switch {
	case e.User >= 0 && e.Mode.IsDir():
		return fmt.Sprintf("%s belongs to %s, who may rename the files in it", e.Path, UserName(e.User))
	case e.User >= 0:
		return fmt.Sprintf("%s belongs to %s", e.Path, UserName(e.User))
	case e.Mode.IsDir():
		return fmt.Sprintf("others may rename the files in %s (mode %04o, without a sticky bit)", e.Path, e.Mode.Perm())
	}
	return fmt.Sprintf("others can change %s (mode %04o)", e.Path, e.Mode.Perm())
}

// CheckGuarded returns [Unguarded] unless only root and this user can change or replace
// the file or folder at path: everything from path up to the root belongs to root or
// this user, and each folder that others may write to is sticky. CheckGuarded also
// checks the targets of symbolic links.
func CheckGuarded(path string) error { return checkGuarded(path, os.Geteuid()) }

// CheckProgram returns [Unguarded] unless only root, this user and one more user can replace
// or change a program.
func CheckProgram(path string, user int) error { return checkGuarded(path, os.Geteuid(), user) }

func checkGuarded(path string, users ...int) error {
	return climb(path, func(path string, info fs.FileInfo) error {
		if uid := FileUser(info); uid != 0 && !slices.Contains(users, uid) {
			return &Unguarded{Path: path, User: uid, Mode: info.Mode()}
		}
		if info.Mode()&fs.ModeSymlink == 0 && (othersMayWrite(info) || listsWriters(path, info)) {
			return &Unguarded{Path: path, User: -1, Mode: info.Mode()}
		}
		return nil
	})
}

// Users returns the users besides root that the files or folders at the paths belong to, or
// anything above them, in order. Each of these users can replace a file. Users leaves out
// missing files and folders.
func Users(paths ...string) (users []int, err error) {
	missing := func(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) }
	for _, path := range paths {
		at := path
		for _, err := os.Lstat(at); missing(err); _, err = os.Lstat(at) {
			at = filepath.Dir(at)
		}
		err = climb(at, func(_ string, info fs.FileInfo) error {
			if uid := FileUser(info); uid != 0 && !slices.Contains(users, uid) {
				users = append(users, uid)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("find out whose file %s is: %w", path, err)
		}
	}
	slices.Sort(users)
	return users, nil
}

// climb calls visit for path and for each folder above, up to the root, and in the
// same way for the targets of symbolic links.
func climb(path string, visit func(path string, info fs.FileInfo) error) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil { // fails on links that form a loop
		return err
	}
	for ; ; path = filepath.Dir(path) {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if err := visit(path, info); err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if !filepath.IsAbs(target) {
				// In a linked folder, ".." of the target leads to the parent of the real folder.
				dir, err := filepath.EvalSymlinks(filepath.Dir(path))
				if err != nil {
					return err
				}
				target = filepath.Join(dir, target)
			}
			if err := climb(target, visit); err != nil {
				return err
			}
		}
		if path == filepath.Dir(path) {
			return nil
		}
	}
}

// othersMayWrite reports whether users besides root and the current one may change a
// file, or may rename the entries of a folder.
func othersMayWrite(info fs.FileInfo) bool {
	stat := info.Sys().(*syscall.Stat_t)
	writable := stat.Mode&0o002 != 0 || stat.Mode&0o020 != 0 && int(stat.Gid) != os.Getegid()
	return writable && !isSticky(info)
}

// listsWriters reports whether an access control list may let more users write. With
// such a list, the bits of the group are the most that the list allows.
func listsWriters(path string, info fs.FileInfo) bool {
	if info.Mode().Perm()&0o020 == 0 || isSticky(info) {
		return false
	}
	size, err := unix.Lgetxattr(path, "system.posix_acl_access", nil)
	return err == nil && size > 0
}

// isSticky reports whether a folder keeps its entries from users who may write to the
// folder. The bit means nothing on a file.
func isSticky(info fs.FileInfo) bool { return info.IsDir() && info.Mode()&fs.ModeSticky != 0 }
