package vault

import (
	"path"
	"slices"
	"strings"

	"holdfast/manifest"
)

// choice tells for each file whether a restore wants the file. The question costs no more
// with a hundred thousand paths.
type choice struct {
	parts []manifest.Part // none: all
	paths map[string]bool // "PART/PATH" of files and folders; none: all
}

// choice returns the choice of the configuration.
func (c RestoreConfig) choice() choice {
	made := choice{parts: c.Parts, paths: make(map[string]bool, len(c.Paths))}
	for _, name := range c.Paths {
		made.paths[strings.TrimSuffix(name, "/")] = true
	}
	return made
}

// holds reports whether the restore wants a file.
func (c choice) holds(f *manifest.File) bool {
	if len(c.parts) > 0 && !slices.Contains(c.parts, f.Part) {
		return false
	}
	if len(c.paths) == 0 {
		return true
	}
	for name := string(f.Part) + "/" + f.Path; name != "."; name = path.Dir(name) {
		if c.paths[name] {
			return true
		}
	}
	return false
}
