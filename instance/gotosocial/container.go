package gotosocial

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"holdfast/disk"
	"holdfast/instance/systemd"
)

// composeNames are the names that docker compose looks for, in its order.
var composeNames = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}

// besideCompose are the names of more files that docker compose reads in the same folder.
var besideCompose = []string{
	"compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
	".env",
}

// A quadlet is a unit for a container of podman, podman-systemd.unit(5).
const (
	quadletFolder = "/etc/containers/systemd"
	quadletExt    = ".container"
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

// findStarter returns the compose file beside an environment file, or the compose file in
// the folder above or the quadlet that names the environment file, or "". Quadlets lie below the root.
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
	quadlets, _ := fs.Glob(fsys, inside(filepath.Join("/", root, quadletFolder))+"/*"+quadletExt)
	for _, file := range quadlets {
		text, err := fs.ReadFile(fsys, file)
		if err == nil && slices.Contains(quadletFiles("/"+file, string(text)), envFile) {
			return "/" + file
		}
	}
	return ""
}

// inside returns an absolute path as a path of an [fs.FS].
func inside(path string) string { return strings.TrimPrefix(path, "/") }

func isRegular(fsys fs.FS, file string) bool {
	info, err := fs.Stat(fsys, inside(file))
	return err == nil && info.Mode().IsRegular() && info.Size() <= systemd.MaxSettings
}

// startsWith reports whether a compose file names an environment file.
func startsWith(fsys fs.FS, file, envFile string) bool {
	if !isRegular(fsys, file) {
		return false
	}
	text, err := fs.ReadFile(fsys, inside(file))
	return err == nil && slices.ContainsFunc(composeFiles(string(text)), func(name string) bool {
		return filepath.Join(filepath.Dir(file), name) == envFile || name == envFile
	})
}

// quadletFiles returns the files that a quadlet names: environment files, and the quadlets
// of its volumes and networks.
func quadletFiles(quadlet, text string) (files []string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch strings.TrimSpace(key) {
		case "EnvironmentFile":
			files = append(files, strings.TrimSpace(value))
		case "Volume", "Network":
			name, _, _ := strings.Cut(strings.TrimSpace(value), ":")
			if ext := filepath.Ext(name); ext == ".volume" || ext == ".network" {
				files = append(files, name)
			}
		}
	}
	for i, file := range files {
		if !filepath.IsAbs(file) {
			files[i] = filepath.Join(filepath.Dir(quadlet), file)
		}
	}
	return files
}

// readStarter adds the files that start the container: the compose file or quadlet, and the
// files that it names. Some may be absent.
func (c *Config) readStarter() {
	if c.Starter == "" {
		return
	}
	files, text := starterFiles(c.Starter)
	c.ServiceFiles = append(c.ServiceFiles, files...)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.Contains(line, "GTS_") && !strings.HasPrefix(line, "#") {
			c.Warnings = append(c.Warnings, c.Starter+" sets variables (GTS_…) that Holdfast does not see: move them "+
				"into the environment file")
			return
		}
	}
}

// starterFiles returns the compose file or quadlet, the files that it names, and its text.
func starterFiles(starter string) (files []string, text string) {
	files = []string{starter}
	text, err := systemd.ReadSettings(starter, "compose file", "correct instance.compose_file")
	if err != nil {
		return files, "" // the backup names the unreadable file
	}
	var named []string
	if path.Ext(starter) == quadletExt {
		named = quadletFiles(starter, text)
	} else {
		named = composeFiles(text)
		for _, name := range besideCompose {
			files = append(files, filepath.Join(filepath.Dir(starter), name))
		}
	}
	for _, file := range named {
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(starter), file)
		}
		if mayName(starter, file) {
			files = append(files, file)
		}
	}
	return files, text
}

// composeFiles returns the environment files, secrets and configs that a compose file
// names. An unreadable text has none.
func composeFiles(text string) (files []string) {
	type named struct {
		File string `yaml:"file"`
	}
	var file struct {
		Services map[string]struct {
			EnvFile any `yaml:"env_file"`
		} `yaml:"services"`
		Secrets map[string]named `yaml:"secrets"`
		Configs map[string]named `yaml:"configs"`
	}
	if yaml.Unmarshal([]byte(text), &file) != nil {
		return nil
	}
	for _, s := range file.Services {
		list, several := s.EnvFile.([]any)
		if !several {
			list = []any{s.EnvFile}
		}
		for _, item := range list {
			if long, ok := item.(map[string]any); ok {
				item = long["path"]
			}
			if name, ok := item.(string); ok {
				files = append(files, name)
			}
		}
	}
	for _, group := range []map[string]named{file.Secrets, file.Configs} {
		for _, n := range group {
			if n.File != "" {
				files = append(files, n.File)
			}
		}
	}
	return slices.DeleteFunc(files, func(name string) bool { return strings.Contains(name, "$") })
}

// mayName reports whether a file may have another file saved: a file of root may name
// every regular file, the file of another user only files of that user.
func mayName(by, file string) bool {
	namer, err1 := os.Stat(by)
	named, err2 := os.Stat(file)
	return err1 == nil && err2 == nil && named.Mode().IsRegular() &&
		(disk.FileUser(namer) == 0 || disk.FileUser(namer) == disk.FileUser(named))
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
