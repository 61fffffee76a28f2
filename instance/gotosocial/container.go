package gotosocial

import (
	"io/fs"
	"maps"
	"path/filepath"
)

// MapPaths adds paths of the container, and their paths on this machine.
func (c *Config) MapPaths(paths map[string]string) {
	all := map[string]string{}
	maps.Copy(all, c.paths)
	for theirs, ours := range paths {
		all[filepath.Clean(theirs)] = filepath.Clean(ours)
	}
	c.paths = all
}

// Paths returns the paths of the container, and their paths on this machine.
func (c *Config) Paths() map[string]string { return maps.Clone(c.paths) }

// setContainer notes whether the server runs in a container, and what starts the
// container. Paths of files are those of the server's machine, below the root of fsys.
func (c *Config) setContainer(s Server, fsys fs.FS) {
	if c.Binary == "" && (s.EnvFile != "" || len(s.Paths) > 0 || s.Starter != "") {
		c.Container = true
		if c.Starter = s.Starter; c.Starter == "" && s.EnvFile != "" {
			c.Starter = findStarter(s.EnvFile, s.Root, fsys)
		}
	}
}

// Unmapped returns the settings whose places in the container are in no folder of this
// machine. Each value is the container's absolute path.
func (c *Config) Unmapped() (unmapped []Setting) {
	if !c.Container {
		return nil
	}
	for _, s := range c.places() {
		if !filepath.IsAbs(s.Value) {
			s.Value = filepath.Join(c.WorkingDir, s.Value)
		}
		if _, ok := c.mapped(s.Value); !ok {
			unmapped = append(unmapped, s)
		}
	}
	return unmapped
}

// places are the settings that give the database and the media a place on the server's
// machine, as the server reads them.
func (c *Config) places() (places []Setting) {
	if c.Engine() == SQLite {
		places = append(places, Setting{Key: "db-address", Value: sqlitePath(c.Get("db-address"))})
	}
	if !c.InBucket() {
		places = append(places, c.settings["storage-local-base-path"])
	}
	return places
}
