package rebuild

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"holdfast/instance/gotosocial"
	"holdfast/manifest"
)

// ReadServer parses Holdfast's own configuration, as far as it tells how the server runs.
type ReadServer func(text []byte) (gotosocial.Server, error)

// readServer reads Holdfast's configuration in a restored folder. Without the file, the
// result is zero.
func readServer(folder fs.FS, file string, read ReadServer) (s gotosocial.Server, err error) {
	if file == "" || read == nil {
		return s, nil
	}
	text, err := fs.ReadFile(folder, path.Join(filesFolder, file))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil // the restore leaves the file out
	}
	if err == nil {
		s, err = read(text)
	}
	if err != nil {
		return gotosocial.Server{}, fmt.Errorf("read /%s, Holdfast's configuration in the snapshot: %w", file, err)
	}
	return s, nil
}

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
