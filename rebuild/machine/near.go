package machine

import (
	"cmp"
	"path/filepath"
	"slices"

	"holdfast/disk"
	"holdfast/manifest"
)

// Near returns the folder for the work folder: near most of the restored files, or else
// otherwise, and never in a folder that the restore gives away.
func (m *Machine) Near(otherwise string) (string, error) {
	folder, err := m.folder()
	if err != nil {
		return "", err
	}
	return m.outside(cmp.Or(folder, otherwise)), nil
}

// folder returns the folder on the machine for most of the restored files, or ""
// if media and database go elsewhere.
func (m *Machine) folder() (string, error) {
	database, err := m.database()
	if err != nil {
		return "", err
	}
	media, where := m.media().Destination().Folder, database.Destination().Folder
	if !m.Has(manifest.Media) {
		return cmp.Or(where, media), nil
	}
	return cmp.Or(media, where), nil
}

// outside returns the nearest folder above dir that the restore does not give to the
// server's user. A run that is killed after the gift could not trust its work folder
// there. If only dir is on its disk, outside returns dir: the move of the media to
// another disk would take a copy.
func (m *Machine) outside(dir string) string {
	given := m.serverFolders()
	for dir = disk.Nearest(dir); ; dir = filepath.Dir(dir) {
		isGiven := slices.ContainsFunc(given, func(f serverFolder) bool { return f.path == dir })
		if above := filepath.Dir(dir); !isGiven || above == dir || !disk.SameDisk(dir, above) {
			return dir
		}
	}
}
