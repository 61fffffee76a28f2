package agent

import (
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
	if own := err == nil && disk.FileUser(info) == os.Geteuid(); own || os.Geteuid() == 0 {
		return service
	}
	candidates := []string{filepath.Join(os.Getenv(variable), "holdfast")}
	for _, home := range homeFolders() {
		candidates = append(candidates, filepath.Join(home, base, "holdfast"))
	}
	for _, folder := range candidates {
		if filepath.IsAbs(folder) && isUsable(folder) {
			return folder
		}
	}
	return service
}

// homeFolders returns the existing home folders of this user: in the variable HOME, and in
// the entry of the user. Services often run without the variable.
func homeFolders() (homes []string) {
	dirs := []string{os.Getenv("HOME")}
	if u, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
		dirs = append(dirs, u.HomeDir)
	}
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && filepath.IsAbs(dir) {
			homes = append(homes, dir)
		}
	}
	return homes
}

// isUsable reports whether a folder exists, or this user can make the folder. sudo -E and
// systemd keep variables that lead to root's folders.
func isUsable(folder string) bool {
	_, err := os.Stat(folder)
	return err == nil || disk.CheckCreatable(folder) == nil
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
