package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
)

// Version asks GoToSocial's binary; "" where there is none or it doesn't say.
func (i *Instance) Version(ctx context.Context) string {
	version, err := i.AskVersion(ctx)
	if err != nil {
		return "" // a backup is worth more than this
	}
	return version
}

// AskVersion is Version, and says why there is none.
func (i *Instance) AskVersion(ctx context.Context) (string, error) {
	binary := i.binary()
	if binary == "" {
		return "", errors.New("no gotosocial is found; instance.binary names it")
	}
	var as *syscall.Credential
	if os.Geteuid() == 0 {
		var ok bool
		if as, ok = i.owner(binary); !ok {
			return "", fmt.Errorf("%s is not run as root: the database has to belong to the server's own user, the program to that one or root", binary)
		}
	}
	return gotosocial.AskVersion(ctx, binary, as)
}

func (i *Instance) binary() string { return cmp.Or(i.options.Binary, i.config.Program()) }

// owner is the owner of the database, or of the media directory where that is no
// file, who may run the binary: root must not run a file that the server's user
// may have written. That user can also put a link to anybody's file in the
// database's place, so root is never the one, and the binary is the owner's own
// or root's.
func (i *Instance) owner(binary string) (user *syscall.Credential, ok bool) {
	place := i.config.Storage()
	if file := i.db.File(); file != "" {
		place = file
	}
	info, err := os.Stat(place)
	if err != nil {
		return nil, false
	}
	program, err := os.Stat(binary)
	if err != nil {
		return nil, false
	}
	s, whose := info.Sys().(*syscall.Stat_t), disk.FileUser(program)
	return &syscall.Credential{Uid: s.Uid, Gid: s.Gid}, s.Uid != 0 && (whose == 0 || whose == int(s.Uid))
}
