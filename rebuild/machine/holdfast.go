package machine

import (
	"os"
	"slices"

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

// keepsOwn reports whether this machine has another configuration of Holdfast in that place.
func (m *Machine) keepsOwn() bool {
	own := m.ownPaths()
	return slices.ContainsFunc(m.Files, func(f manifest.File) bool {
		info, err := os.Lstat(m.pathOf(f))
		return own[f.Path] && err == nil && !isSameFile(m.pathOf(f), info, f)
	})
}
