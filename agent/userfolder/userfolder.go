// Package userfolder finds the folders of Holdfast's files for this user.
package userfolder

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"holdfast/disk"
	"holdfast/remedy"
)

// Default returns the folder service, if the folder belongs to this user; else a folder
// "holdfast" below the folder in the variable, or below the folder base of the user's home.
// A user without a home gets the folder service: errors then tell root to make the folder.
func Default(service, variable, base string) string {
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

// MakeCommand is the shell line by which root makes folders for this user.
func MakeCommand(paths ...string) string {
	line := []string{"install", "-d", "-m", "700", "-o", disk.UserName(os.Geteuid())}
	return remedy.ShellLine(append(line, paths...))
}
