package agent

import (
	"fmt"
	"os"
	"path/filepath"

	"holdfast/agent/userfolder"
	"holdfast/disk"
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
		ConfigFile: filepath.Join(userfolder.Default(serviceConfig, "XDG_CONFIG_HOME", ".config"), "config.yaml"),
		State:      userfolder.Default(serviceState, "XDG_STATE_HOME", ".local/state"),
	}
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
