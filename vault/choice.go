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
	which func(*manifest.File) bool
}

// newChoice returns the choice of parts, paths and files, as [RestoreConfig] has them.
func newChoice(parts []manifest.Part, paths []string, which func(*manifest.File) bool) choice {
	made := choice{parts: parts, paths: make(map[string]bool, len(paths)), which: which}
	for _, name := range paths {
		made.paths[strings.TrimSuffix(name, "/")] = true
	}
	return made
}

// holds reports whether the restore wants a file.
func (c choice) holds(f *manifest.File) bool {
	if len(c.parts) > 0 && !slices.Contains(c.parts, f.Part) || c.which != nil && !c.which(f) {
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
