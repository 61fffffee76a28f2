package systemd

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ServicePaths are the services in the folders of units: of each name the
// strongest, files before links to them, and instances of templates where
// something starts them.
func ServicePaths(root string) (paths []string) {
	byName := map[string]string{}
	for _, dir := range unitFolders(root) {
		files, _ := filepath.Glob(escapeGlob(dir) + "/*.service")
		for _, kind := range []string{"wants", "requires"} {
			started, _ := filepath.Glob(escapeGlob(dir) + "/*." + kind + "/*@*.service")
			files = append(files, started...)
		}
		for _, file := range files {
			name := filepath.Base(file)
			if _, known := byName[name]; !known && !strings.HasSuffix(name, "@.service") {
				byName[name] = filepath.Join(dir, name)
			}
		}
	}
	paths = slices.Collect(maps.Values(byName))
	slices.SortFunc(paths, func(a, b string) int {
		if c := linked(a) - linked(b); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return paths
}

func linked(path string) int {
	if target, err := os.Readlink(path); err == nil && filepath.Base(target) != filepath.Base(path) {
		return 1
	}
	return 0
}
