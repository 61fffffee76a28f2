package commandline

import (
	"fmt"
	"path/filepath"
	"strings"

	"holdfast/cmd/holdfast/problem"
)

// MappedPaths reads the values "THEIRS=OURS" of a flag: paths of a container, and their
// absolute paths on this machine. A path may have the sign "=": the sign before the first
// absolute OURS counts.
func MappedPaths(texts []string) (map[string]string, error) {
	paths := map[string]string{}
	for _, text := range texts {
		theirs, ours, isAbsolute := strings.Cut(text, "=/")
		if ours = "/" + ours; !isAbsolute {
			theirs, ours, _ = strings.Cut(text, "=")
		}
		if !filepath.IsAbs(theirs) || ours == "" {
			return nil, problem.Usage(
				fmt.Errorf("--path: %q does not name a container's path and its path on this machine", text),
				"write it as --path /gotosocial=/srv/gotosocial")
		}
		absolute, err := filepath.Abs(ours)
		if err != nil {
			return nil, err
		}
		theirs = filepath.Clean(theirs)
		if other, known := paths[theirs]; known && other != absolute {
			return nil, problem.Usage(fmt.Errorf("--path: %s has two places, %s and %s", theirs, other, absolute),
				"leave out one of the two")
		}
		paths[theirs] = absolute
	}
	return paths, nil
}
