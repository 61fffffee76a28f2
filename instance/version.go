package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"holdfast/instance/gotosocial"
)

// Version asks GoToSocial's binary for its version. Without an answer Version
// returns "".
func (i *Instance) Version(ctx context.Context) string {
	version, err := i.AskVersion(ctx)
	if err != nil {
		return "" // a backup matters more than the version
	}
	return version
}

// AskVersion is [Instance.Version] with an error.
func (i *Instance) AskVersion(ctx context.Context) (string, error) {
	binary := i.binary()
	if binary == "" && i.config.Container {
		return "", errors.New("the program is in the container's image; write down the version of the image")
	}
	if binary == "" {
		return "", errors.New("found no program gotosocial; name the program by instance.binary")
	}
	var as *syscall.Credential
	if os.Geteuid() == 0 {
		var ok bool
		if as, ok = i.runAs(); !ok {
			return "", fmt.Errorf("%s does not run as root: the database must belong to the server's own user", binary)
		}
	}
	return gotosocial.AskVersion(ctx, binary, as)
}

func (i *Instance) binary() string { return cmp.Or(i.options.Binary, i.config.Program()) }

// runAs returns the Unix user that may run the binary: the user of the SQLite
// database, else of the media folder. Root is refused: the server's user may have
// written the binary, or have put a link to a file of root in the database's place.
func (i *Instance) runAs() (user *syscall.Credential, ok bool) {
	database, _ := i.config.LocalPlaces()
	info, err := os.Stat(cmp.Or(database, i.config.Storage()))
	if err != nil {
		return nil, false
	}
	s := info.Sys().(*syscall.Stat_t)
	return &syscall.Credential{Uid: s.Uid, Gid: s.Gid}, s.Uid != 0
}
