package disk

import (
	"fmt"
	"io/fs"
	"os/user"
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
