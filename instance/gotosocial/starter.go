package gotosocial

import (
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// findStarter returns what starts the container of an environment file: the compose file
// beside, else the compose file in the folder above or the quadlet that names the
// environment file, else "". Quadlets lie below the root.
func findStarter(envFile, root string, fsys fs.FS) string {
	beside := filepath.Dir(envFile)
	for _, dir := range []string{beside, filepath.Dir(beside)} {
		for _, name := range composeNames {
			file := filepath.Join(dir, name)
			if dir == beside && isRegular(fsys, file) || startsWith(fsys, file, envFile) {
				return file
			}
		}
	}
	return findQuadlet(envFile, filepath.Join("/", root, quadletFolder), fsys)
}

// readStarter adds the files that start the container: the compose file or quadlet, and the
// files that it names. Some may be absent.
func (c *Config) readStarter() {
	if c.Starter == "" {
		return
	}
	files, text := starterFiles(c.Starter)
	c.StarterFiles = files
	if path.Ext(c.Starter) == quadletExt {
		c.ServiceFiles = append(c.ServiceFiles, c.Starter+".d")
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.Contains(line, "GTS_") && !strings.HasPrefix(line, "#") {
			c.Warnings = append(c.Warnings, c.Starter+" sets variables (GTS_…) that Holdfast does not see: move them "+
				"into the environment file")
			return
		}
	}
}

// starterFiles returns the compose file or quadlet, the files that it names, and the text of
// all.
func starterFiles(starter string) (files []string, text string) {
	if path.Ext(starter) == quadletExt {
		return quadletStarter(starter)
	}
	return composeStarter(starter)
}
