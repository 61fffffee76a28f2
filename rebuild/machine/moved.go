package machine

import (
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/manifest"
)

// MovedFolder is a folder of the container that this restore puts in another place than
// the backup found the folder.
type MovedFolder struct {
	Theirs string // the container's path
	Old    string // the folder of the old machine
	New    string // the folder on this machine
}

// movedPath returns the path on this machine for a path of the old machine.
func (m *Machine) movedPath(path string) string {
	longest := MovedFolder{}
	for _, moved := range m.Moved {
		if strings.HasPrefix(path+"/", moved.Old+"/") && len(moved.Old) > len(longest.Old) {
			longest = moved
		}
	}
	if longest.Old == "" {
		return path
	}
	return filepath.Join(longest.New, strings.TrimPrefix(path, longest.Old))
}

// MovedText tells the moved folders from all others. A path with a separator is quoted.
func (m *Machine) MovedText() string {
	quoted := func(path string) string {
		if strings.ContainsAny(path, `=,"`) {
			return strconv.Quote(path)
		}
		return path
	}
	var words []string
	for _, f := range m.Moved {
		words = append(words, quoted(f.Theirs)+"="+quoted(f.New))
	}
	return strings.Join(words, ",")
}

// pathOf returns the path on this machine of a file of the files part.
func (m *Machine) pathOf(f manifest.File) string { return m.movedPath("/" + f.TruePath()) }
