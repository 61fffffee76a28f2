package instance

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"holdfast/disk"
	"holdfast/internal/units"
	"holdfast/manifest"
)

// addFoldersAbove adds the folders above all saved files. A restore that must make such
// a folder gives the folder the old mode and user.
func (g *gathering) addFoldersAbove() {
	for _, name := range slices.Collect(maps.Keys(g.all)) {
		saved := g.all[name]
		if saved.err != nil {
			continue
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, known := g.all[dir]; known {
				break
			}
			actual := above(saved.file.TruePath(), dir)
			info, err := os.Stat("/" + actual)
			if err != nil || !info.IsDir() {
				continue
			}
			// The ACL or the sticky bit of /tmp is no part of the instance.
			mode, _ := disk.PlainMode("/"+actual, info)
			f := manifest.File{Part: manifest.Files, Path: dir, Folder: true, User: g.knownUser("/"+actual, info)}
			f.Mode = manifest.Mode(mode)
			if actual != dir {
				f.Name = []byte(actual)
			}
			g.all[dir] = &entry{file: f}
		}
	}
}

// above returns the true path of a folder above a file. The path of the listing has as
// many slashes as the true path.
func above(file, folder string) string {
	names := strings.Split(file, "/")
	return strings.Join(names[:strings.Count(folder, "/")+1], "/")
}

// noteRights sets the mode of a file or folder, and notes rights that no mode has.
func (g *gathering) noteRights(path string, info fs.FileInfo, f *manifest.File) {
	mode, hasACL := disk.PlainMode(path, info)
	f.Mode = manifest.Mode(mode)
	if hasACL {
		g.acls = append(g.acls, path)
	}
	if disk.HasCapabilities(path) {
		g.capable = append(g.capable, path)
	}
	if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
		g.special = append(g.special, path)
	}
}

// unsavedRights tells which rights of files the snapshot leaves out. A thief of the
// server can write a snapshot. Therefore a restore as root must give no program the
// rights of root: a person sets such rights again.
func (g *gathering) unsavedRights() (all []leftOut) {
	if len(g.special) > 0 {
		all = append(all, leftOut("the setuid, setgid or sticky bit of "+firstThree(g.special)+
			"; after a restore, set the bit by chmod"))
	}
	if len(g.capable) > 0 {
		all = append(all, leftOut("the capabilities of "+firstThree(g.capable)+
			"; after a restore, set the capabilities by setcap (getcap prints the capabilities)"))
	}
	if len(g.acls) > 0 {
		all = append(all, leftOut("the ACL of "+firstThree(g.acls)+
			"; after a restore, set the ACL by setfacl (getfacl prints the ACL)"))
	}
	return all
}

// firstThree names the first paths, and counts the rest.
func firstThree(paths []string) string {
	slices.Sort(paths)
	const named = 3
	text := strings.Join(paths[:min(named, len(paths))], ", ")
	if rest := len(paths) - named; rest > 0 {
		text += " and " + units.Count(rest, "other")
	}
	return text
}
