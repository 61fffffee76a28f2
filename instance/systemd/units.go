package systemd

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ServicePaths returns the paths of all services below the root, one for each name.
// Files come before links. An instance of a template has a path if another unit
// starts the instance.
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

// linked returns 1 for a link to a file of another name, else 0.
func linked(path string) int {
	if target, err := os.Readlink(path); err == nil && filepath.Base(target) != filepath.Base(path) {
		return 1
	}
	return 0
}
