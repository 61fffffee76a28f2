package disk

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// UserID returns the number of a Unix user, named or given by number.
func UserID(name string) (int, error) {
	if u, err := user.Lookup(name); err == nil {
		return strconv.Atoi(u.Uid)
	}
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	return 0, fmt.Errorf("this machine has no user %q", name)
}

// GroupID returns the number of a Unix group, named or given by number.
func GroupID(name string) (int, error) {
	if g, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(g.Gid)
	}
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	return 0, fmt.Errorf("this machine has no group %q", name)
}

// IDs returns the numbers of "USER:GROUP". "USER:" and "USER" stand for the user's
// own group, as in systemd units.
func IDs(userGroup string) (uid, gid int, err error) {
	name, group, _ := strings.Cut(userGroup, ":")
	if uid, err = UserID(name); err != nil {
		return 0, 0, err
	}
	if group == "" {
		own, err := user.LookupId(strconv.Itoa(uid))
		if err != nil {
			return 0, 0, err
		}
		group = own.Gid
	}
	gid, err = GroupID(group)
	return uid, gid, err
}

// UserName returns the name of a Unix user, or "#NUMBER", as sudo accepts it.
func UserName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "#" + strconv.Itoa(uid)
}

// FileUser returns the number of the Unix user that a file belongs to.
func FileUser(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// Unguarded reports a folder that another user can replace with a folder of their
// own.
type Unguarded struct {
	Dir  string
	User int         // the user that Dir belongs to, or -1 if the mode is at fault
	Mode fs.FileMode // of Dir
}

func (e *Unguarded) Error() string {
	switch {
	case e.Mode.IsRegular() && e.User >= 0:
		return fmt.Sprintf("%s belongs to %s", e.Dir, UserName(e.User))
	case e.Mode.IsRegular():
		return fmt.Sprintf("others may write to %s (mode %04o)", e.Dir, e.Mode.Perm())
	case e.User >= 0:
		return fmt.Sprintf("%s belongs to %s, who may rename the files in it", e.Dir, UserName(e.User))
	}
	return fmt.Sprintf("others may rename the files in %s (mode %04o, without a sticky bit)", e.Dir, e.Mode.Perm())
}

// CheckGuarded returns [Unguarded] unless only root and this user can replace dir with
// another folder: each folder from dir up to the root belongs to root or this user,
// and each folder that others may write to is sticky. CheckGuarded also checks the
// targets of symbolic links.
func CheckGuarded(dir string) error { return checkGuarded(dir, os.Geteuid()) }

// CheckProgram returns [Unguarded] unless only root, this user and one more user can replace
// or change a program.
func CheckProgram(path string, user int) error { return checkGuarded(path, os.Geteuid(), user) }

func checkGuarded(dir string, users ...int) error {
	if _, err := os.Stat(dir); err != nil { // fails on links that form a loop
		return err
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if uid := FileUser(info); uid != 0 && !slices.Contains(users, uid) {
			return &Unguarded{Dir: dir, User: uid, Mode: info.Mode()}
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			if err := checkTarget(dir, users); err != nil {
				return err
			}
		} else if othersMayRename(info) {
			return &Unguarded{Dir: dir, User: -1, Mode: info.Mode()}
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// checkTarget is checkGuarded for the target of a link.
func checkTarget(link string, users []int) error {
	target, err := os.Readlink(link)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(link), target)
	}
	return checkGuarded(target, users...)
}

// othersMayRename reports whether users besides root and the current one may rename
// the entries of a folder, or write to a file.
func othersMayRename(folder fs.FileInfo) bool {
	stat := folder.Sys().(*syscall.Stat_t)
	writable := stat.Mode&0o002 != 0 || stat.Mode&0o020 != 0 && int(stat.Gid) != os.Getegid()
	return writable && (!folder.IsDir() || folder.Mode()&fs.ModeSticky == 0)
}
