package instance

import (
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
	"syscall"

	"holdfast/manifest"
)

// userOf returns "USER:GROUP" of a file. In a folder of a container the numbers count: the
// container has users of its own, and this machine's names say nothing about them.
func (i *Instance) userOf(path string, info fs.FileInfo) string {
	if i.config.Container && i.config.InContainer(path) {
		return userByNumber(info)
	}
	return userByName(info)
}

// knownUser is userOf, and asks the machine once for each user.
func (g *gathering) knownUser(path string, info fs.FileInfo) string {
	number := userByNumber(info)
	if g.config.Container && g.config.InContainer(path) {
		return number
	}
	if _, known := g.users[number]; !known {
		g.users[number] = userByName(info)
	}
	return g.users[number]
}

// userByNumber returns "UID:GID" of a file.
func userByNumber(info fs.FileInfo) string {
	s := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", s.Uid, s.Gid)
}

// userByName returns "USER:GROUP" of a file. A number takes the place of an unknown name,
// and of a name that the listing can't hold.
func userByName(info fs.FileInfo) string {
	s := info.Sys().(*syscall.Stat_t)
	u, g := strconv.Itoa(int(s.Uid)), strconv.Itoa(int(s.Gid))
	if found, err := user.LookupId(u); err == nil && manifest.ValidUser(found.Username+":"+g) {
		u = found.Username
	}
	if found, err := user.LookupGroupId(g); err == nil && manifest.ValidUser(u+":"+found.Name) {
		g = found.Name
	}
	return u + ":" + g
}
