package agent

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"holdfast/disk"
	"holdfast/remedy"
)

// The places of a service's files. Root can give the two folders to another user.
const (
	serviceConfig = "/etc/holdfast"
	serviceState  = "/var/lib/holdfast"
)

// DefaultHome returns the usual places of this user's files: those of the service, if
// the folders belong to this user, else places below the user's home folder.
func DefaultHome() Home {
	return Home{
		ConfigFile: filepath.Join(defaultFolder(serviceConfig, "XDG_CONFIG_HOME", ".config"), "config.yaml"),
		State:      defaultFolder(serviceState, "XDG_STATE_HOME", ".local/state"),
	}
}

// defaultFolder returns the folder service, or a folder "holdfast" below the folder in
// the variable, or below the folder base of the user's home. A user without a home
// gets the folder service: errors then tell root to make the folder.
func defaultFolder(service, variable, base string) string {
	info, err := os.Stat(service)
	own := err == nil && disk.FileUser(info) == os.Geteuid()
	home := homeFolder()
	switch dir := os.Getenv(variable); {
	case own || os.Geteuid() == 0:
		return service
	case filepath.IsAbs(dir):
		return filepath.Join(dir, "holdfast")
	case home == "":
		return service
	}
	return filepath.Join(home, base, "holdfast")
}

// homeFolder returns the existing home folder of this user, or "". Services often run
// without the variable HOME.
func homeFolder() string {
	dir := ""
	if u, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
		dir = u.HomeDir
	}
	dir = cmp.Or(os.Getenv("HOME"), dir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() || !filepath.IsAbs(dir) {
		return ""
	}
	return dir
}

// makeFolders is the shell line by which root makes folders for this user.
func makeFolders(paths ...string) string {
	line := []string{"install", "-d", "-m", "700", "-o", disk.UserName(os.Geteuid())}
	return remedy.ShellLine(append(line, paths...))
}

// sudoFix says how to use the files of the service, if the files belong to another user.
func sudoFix() string {
	info, err := os.Stat(serviceConfig)
	if err != nil || disk.FileUser(info) == os.Geteuid() {
		return ""
	}
	name := disk.UserName(disk.FileUser(info))
	return fmt.Sprintf("%s belongs to %s: run the command as that user: sudo -u %s holdfast …; or ",
		serviceConfig, name, name)
}
