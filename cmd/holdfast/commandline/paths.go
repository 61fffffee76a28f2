package commandline

import (
	"fmt"
	"path/filepath"
	"strings"

	"holdfast/cmd/holdfast/problem"
)

// MappedPaths reads the values "THEIRS=OURS" of a flag: paths of a container, and their
// absolute paths on this machine.
func MappedPaths(texts []string) (map[string]string, error) {
	paths := map[string]string{}
	for _, text := range texts {
		theirs, ours, _ := strings.Cut(text, "=")
		if !filepath.IsAbs(theirs) || ours == "" {
			return nil, problem.Usage(
				fmt.Errorf("--path: %q does not name a container's path and its path on this machine", text),
				"write it as --path /gotosocial=/srv/gotosocial")
		}
		absolute, err := filepath.Abs(ours)
		if err != nil {
			return nil, err
		}
		paths[theirs] = absolute
	}
	return paths, nil
}
