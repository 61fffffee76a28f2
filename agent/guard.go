package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/disk"
	"holdfast/remedy"
)

// User returns the user whose rights suffice for a run by root: the user who can change
// the configuration or the state folder. A configuration can run commands (cmd:), and
// links in the state folder lead anywhere, so root never works on files of another user.
// The result is 0 if only root can change the files.
func (h Home) User() (uid int, err error) {
	users, err := disk.Users(h.ConfigFile, h.State)
	switch {
	case err != nil || len(users) == 0:
		return 0, err
	case len(users) == 1:
		return users[0], nil
	}
	var names []string
	for _, uid := range users {
		names = append(names, disk.UserName(uid))
	}
	return 0, &remedy.Error{Kind: remedy.Refused,
		What: fmt.Sprintf("several users can change %s, %s or the folders above: %s",
			h.ConfigFile, h.State, strings.Join(names, " and ")),
		Effect: "nothing was changed",
		Fix:    fmt.Sprintf("give both to one user, for example: chown -R root %s %s", h.ConfigFile, h.State)}
}

// checkConfigGuarded refuses a configuration that another user can change or replace.
func (h Home) checkConfigGuarded() error {
	err := disk.CheckGuarded(h.ConfigFile)
	var unguarded *disk.Unguarded
	if !errors.As(err, &unguarded) {
		return err
	}
	refused := &remedy.Error{Kind: remedy.Refused, Err: unguarded,
		What:   "another user can change " + h.ConfigFile + ", and a configuration can run commands as you",
		Effect: "the configuration was not read",
		Fix: "check the contents of the file, then " + keepOthersOut(unguarded, h.ConfigFile) +
			"; or name your own configuration by -c FILE; commands that only read take --from REMOTE instead"}
	if os.Geteuid() == 0 && unguarded.User > 0 {
		refused.Fix = fmt.Sprintf("name the storage by --from REMOTE, as the recovery kit does; "+
			"or run the command as that user: sudo -u %s holdfast -c %s --state %s …; "+
			"or check the contents of the file, then %s",
			disk.UserName(unguarded.User), h.ConfigFile, h.State, keepOthersOut(unguarded, h.ConfigFile))
	}
	return refused
}

// checkStateGuarded refuses a state folder that another user can change or replace.
func (h Home) checkStateGuarded() error {
	err := disk.CheckGuarded(disk.Nearest(h.State))
	// In a folder that is open to all, others can make files, whether the folder is
	// sticky or not.
	if info, statErr := os.Stat(h.State); statErr == nil && info.Mode().Perm()&0o002 != 0 {
		err = &disk.Unguarded{Path: h.State, User: -1, Mode: info.Mode()}
	}
	var unguarded *disk.Unguarded
	if !errors.As(err, &unguarded) {
		return err
	}
	return &remedy.Error{Kind: remedy.Refused, Err: unguarded,
		What:   "another user can change the state folder " + h.State,
		Effect: "nothing was changed",
		Fix:    keepOthersOut(unguarded, h.State) + "; or name another folder by --state"}
}

// checkKitGuarded refuses a folder in which another user can put another kit in the place of
// the kit.
func checkKitGuarded(file string) error {
	err := disk.CheckGuarded(filepath.Dir(file))
	var unguarded *disk.Unguarded
	if !errors.As(err, &unguarded) {
		return err
	}
	return &remedy.Error{Kind: remedy.Refused, Err: unguarded,
		What:   "another user can replace the recovery kit " + file,
		Effect: "nothing was changed",
		Fix:    "change (cd) to a folder of your own, such as your home, or name a file there by --kit FILE"}
}

// keepOthersOut says how to keep other users from changing the file or folder at path.
func keepOthersOut(u *disk.Unguarded, path string) string {
	switch {
	case u.User < 0:
		return "run: " + remedy.ShellLine([]string{"chmod", "go-w", u.Path})
	case u.Path == path:
		return "run as root: " + remedy.ShellLine([]string{"chown", "-R", strconv.Itoa(os.Geteuid()), u.Path})
	}
	return fmt.Sprintf("move %s to a folder of your own", path)
}
