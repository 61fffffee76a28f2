package machine

import (
	"os"
	"slices"

	"holdfast/manifest"
)

// holdfast returns the place of Holdfast's own configuration, or "".
func (m *Machine) holdfast() string {
	for _, f := range m.Files {
		if f.Holdfast {
			return m.pathOf(f)
		}
	}
	return ""
}

// keepsOwn reports whether this machine has another configuration of Holdfast in that place.
func (m *Machine) keepsOwn() bool {
	return slices.ContainsFunc(m.Files, func(f manifest.File) bool {
		info, err := os.Lstat(m.pathOf(f))
		return f.Holdfast && err == nil && !isSameFile(m.pathOf(f), info, f)
	})
}
