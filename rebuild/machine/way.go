package machine

import (
	"path/filepath"

	"holdfast/disk"
	"holdfast/manifest"
)

// inspectWays looks for links by which another user would lead the restored files into a
// folder of a third user, such as root's.
func (m *Machine) inspectWays() (findings []Finding) {
	asked := map[string]bool{}
	look := func(subject Subject, folder string) {
		if asked[folder] {
			return
		}
		asked[folder] = true
		if err := explainMisled(disk.CheckWay(filepath.Join(folder, "file"))); err != nil {
			findings = append(findings, refused(subject, err))
		}
	}
	for _, f := range m.serverFolders() {
		look(f.subject, f.path)
	}
	if m.Has(manifest.Files) {
		for _, f := range m.Files {
			look(FileSubject, filepath.Dir(m.pathOf(f)))
		}
	}
	return findings
}
