package machine

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/remedy"
)

const releases = "https://codeberg.org/superseriousbusiness/gotosocial/releases"

// installFix says how to install the version that the instance ran, or how to choose a
// version. Without names, a person unpacks the whole archive. The words hold before the
// restore and after the restore.
func (m *Machine) installFix(names ...string) string {
	program := m.Config.Binary
	version, ok := gotosocial.ParseVersion(m.Facts.GoToSocial)
	tag, exact := version.Release()
	if !ok || !exact {
		fix := "install a version that is not older: " + releases
		if filepath.IsAbs(program) {
			fix += "; the unit runs " + program
		}
		return fix
	}
	archive := fmt.Sprintf("gotosocial_%s_linux_%s.tar.gz", tag, architecture())
	fix := fmt.Sprintf("install GoToSocial %s or a newer version: %s/download/v%s/%s", tag, releases, tag, archive)
	if !filepath.IsAbs(program) {
		return fix
	}
	return fmt.Sprintf("%s; the unit runs %s: %s", fix, program, m.unpack(archive, filepath.Dir(program), names))
}

// needed names the needed files of a release's archive; no name means all. The whole
// archive would write the release's templates over those of an admin, which the snapshot
// brings.
func (m *Machine) needed() []string {
	if m.bringsTemplates() {
		return []string{programName}
	}
	return nil
}

// programName is the program's name in the archive of a release.
const programName = "gotosocial"

// unpack says how to unpack files of the archive of a release into a folder. The archive
// may name the user who packed the archive: the files must become root's.
func (m *Machine) unpack(archive, dir string, names []string) string {
	tar := append([]string{"tar", "--no-same-owner", "-C", dir, "-xzf", archive}, names...)
	commands := [][]string{{"mkdir", "-p", dir}, tar}
	if program := filepath.Join(dir, programName); program != m.Config.Binary {
		commands = append(commands, []string{"mv", program, m.Config.Binary})
	}
	text := remedy.ShellLine(commands...)
	if len(names) > 0 {
		text += " (the program alone: the snapshot has templates and assets; only a newer version needs " +
			"the whole archive)"
	}
	return text
}

// bringsTemplates reports whether the restore puts templates or assets in their places.
func (m *Machine) bringsTemplates() bool {
	return m.Has(manifest.Files) && slices.ContainsFunc(m.Files, func(f manifest.File) bool {
		return !f.Missing && !f.Folder && slices.ContainsFunc(m.Web, func(w gotosocial.WebFolder) bool {
			return isBelow(m.pathOf(f), w.Path)
		})
	})
}

// giveToRoot returns the command that makes a program or folder trustworthy, or "".
// Files belong to another user if root unpacked an archive.
func giveToRoot(err error) string {
	var unguarded *disk.Unguarded
	if !errors.As(err, &unguarded) || unguarded.User < 0 {
		return ""
	}
	return remedy.ShellLine([]string{"chown", "root:root", unguarded.Path})
}

// architecture is the name of this machine's processor in the names of GoToSocial's
// releases.
func architecture() string {
	if runtime.GOARCH == "arm" {
		return "armv7"
	}
	return runtime.GOARCH
}

// chooseFix asks a person to compare the versions.
func (m *Machine) chooseFix(program string) string {
	return fmt.Sprintf("make sure that %s is not older than %s", program, cmp.Or(m.Facts.GoToSocial,
		"the server of the snapshot"))
}
