package gotosocial

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/disk"
	"holdfast/instance/systemd"
)

// readStarterText reads a file that starts a container.
func readStarterText(file string) (string, error) {
	return systemd.ReadSettings(file, "compose file", "correct instance.compose_file")
}

// named returns the absolute paths of the names in a file, as far as the file may name them.
func named(by string, names []string) (files []string) {
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(by), name)
		}
		if mayName(by, name) {
			files = append(files, name)
		}
	}
	return files
}

// mayName reports whether a file may have another file saved: a file of root may name
// every regular file, the file of another user only files of that user.
func mayName(by, file string) bool {
	namer, err1 := os.Stat(by)
	named, err2 := os.Stat(file)
	return err1 == nil && err2 == nil && named.Mode().IsRegular() &&
		(disk.FileUser(namer) == 0 || disk.FileUser(namer) == disk.FileUser(named))
}

// inside returns an absolute path as a path of an [fs.FS].
func inside(path string) string { return strings.TrimPrefix(path, "/") }

func isRegular(fsys fs.FS, file string) bool {
	info, err := fs.Stat(fsys, inside(file))
	return err == nil && info.Mode().IsRegular() && info.Size() <= systemd.MaxSettings
}
