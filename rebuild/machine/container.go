package machine

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"holdfast/instance/gotosocial"
)

// inspectPlaces names the settings that lead the server elsewhere, and the folders of
// the container. inspectPlaces refuses a container whose database or media have no
// folder on this machine.
func (m *Machine) inspectPlaces() (findings []Finding) {
	if m.Unread != nil {
		findings = append(findings, Finding{Subject: ServerSubject, Detail: m.Unread.Error(),
			Fix: "see that the places below are right; --gotosocial and --path name other places"})
	}
	for _, s := range m.Config.Overriding {
		findings = append(findings, Finding{Subject: ServerSubject, Fix: m.override(s),
			Detail: fmt.Sprintf("%s has another value than %s", s.From(), m.Config.File)})
	}
	if !m.Config.Container {
		return findings
	}
	paths := m.Config.Paths()
	for _, theirs := range slices.Sorted(maps.Keys(paths)) {
		f := Finding{Subject: ContainerSubject, Detail: fmt.Sprintf("%s is %s on this machine", theirs, paths[theirs])}
		if i := slices.IndexFunc(m.Moved, func(f MovedFolder) bool { return f.Theirs == theirs }); i >= 0 {
			f.Fix = m.remount(m.Moved[i])
		}
		findings = append(findings, f)
	}
	for _, s := range m.Config.Unmapped() {
		folder := s.Value
		if s.Key == "db-address" {
			folder = filepath.Dir(folder)
		}
		findings = append(findings, Finding{Subject: ContainerSubject, Refused: true,
			Detail: fmt.Sprintf("%s is %s in the container, and the snapshot does not say "+
				"which folder of this machine that is", s.Key, s.Value),
			Fix: fmt.Sprintf("name the folder of this machine by --path %s=FOLDER", folder)})
	}
	return findings
}

// remount says what a person has to change for a moved folder.
func (m *Machine) remount(moved MovedFolder) string {
	fix := fmt.Sprintf("before the start, mount %s at %s, in place of %s", moved.New, moved.Theirs, moved.Old)
	if m.Config.Starter != "" {
		fix += ", in " + m.movedPath(m.Config.Starter)
	}
	return fix
}

// override says what a person has to do about a setting that overrides the given file.
func (m *Machine) override(s gotosocial.Setting) string {
	return fmt.Sprintf("before the start, correct %s: it overrides %s in %s", s.From(), s.Key, m.Config.File)
}
