package machine

import (
	"os"

	"holdfast/manifest"
)

// holdfast returns the place of Holdfast's own configuration, or "". The snapshot may lack
// the bytes.
func (m *Machine) holdfast() string {
	for _, f := range m.Files {
		if f.Holdfast && !f.Missing {
			return m.pathOf(f)
		}
	}
	return ""
}

// ownPaths returns the paths of the listing that lead to Holdfast's own configuration: the
// path of the file, and the paths of the links to the file.
func (m *Machine) ownPaths() map[string]bool {
	own, links := map[string]bool{}, map[string]manifest.Link{}
	for _, f := range m.Files {
		if f.Link != "" {
			links[f.Path] = f.Link
		}
		own[f.Path] = f.Holdfast
	}
	readlink := func(path string) (manifest.Link, bool) { link, ok := links[path]; return link, ok }
	for path := range links {
		end, err := manifest.Resolve(path, readlink)
		own[path] = err == nil && own[end]
	}
	return own
}

// keptOwn returns the path of another configuration of Holdfast on this machine, in the
// place of the snapshot's, or "".
func (m *Machine) keptOwn() string {
	own := m.ownPaths()
	for _, f := range m.Files {
		path := m.pathOf(f)
		if info, err := os.Lstat(path); own[f.Path] && err == nil && !isSameFile(path, info, f) {
			return path
		}
	}
	return ""
}
