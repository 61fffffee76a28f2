package gotosocial

import (
	"cmp"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
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

// quadletExts are the extensions of further quadlets that a quadlet names.
var quadletExts = []string{".volume", ".network", ".pod", ".image", ".build"}

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
	return findQuadlet(envFile, filepath.Join("/", root, quadletFolder), fsys)
}

// findQuadlet returns the quadlet that names an environment file, or "". Of several quadlets
// the first with GoToSocial's image counts.
func findQuadlet(envFile, folder string, fsys fs.FS) (found string) {
	entries, _ := fs.ReadDir(fsys, inside(folder))
	for _, entry := range entries {
		file := filepath.Join(folder, entry.Name())
		if filepath.Ext(file) != quadletExt || !isRegular(fsys, file) {
			continue
		}
		text, err := fs.ReadFile(fsys, inside(file))
		if err != nil || !slices.Contains(quadletFiles(file, string(text)), envFile) {
			continue
		}
		if image.Match(text) {
			return file
		}
		found = cmp.Or(found, file)
	}
	return found
}

// image finds GoToSocial's image in a quadlet.
var image = regexp.MustCompile(`(?m)^\s*Image\s*=.*gotosocial`)

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
	named, _ := composeFiles(string(text))
	return err == nil && slices.ContainsFunc(named, func(name string) bool {
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
		case "Volume", "Network", "Pod", "Image":
			name, _, _ := strings.Cut(strings.TrimSpace(value), ":")
			if slices.Contains(quadletExts, filepath.Ext(name)) {
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

// starterFiles returns the compose file or quadlet, the files that it names, and its text.
func starterFiles(starter string) (files []string, text string) {
	if path.Ext(starter) == quadletExt {
		return quadletStarter(starter)
	}
	files = []string{starter}
	for _, name := range besideCompose {
		files = append(files, filepath.Join(filepath.Dir(starter), name))
	}
	included, seen := []string{starter}, map[string]bool{starter: true}
	for n := 0; n < min(len(included), maxIncluded); n++ {
		own, err := readStarterText(included[n])
		if err != nil {
			continue // the backup names the unreadable file
		}
		text += own + "\n"
		names, more := composeFiles(own)
		files = append(files, named(included[n], names)...)
		for _, file := range named(included[n], more) {
			if !seen[file] {
				seen[file] = true
				files, included = append(files, file), append(included, file)
			}
		}
	}
	return files, text
}

// maxIncluded limits the compose files of a project.
const maxIncluded = 100

// quadletStarter returns a quadlet, the files that the quadlet and its drop-ins name, and
// the text of all.
func quadletStarter(quadlet string) (files []string, text string) {
	parts := []string{quadlet}
	dropIns, _ := os.ReadDir(quadlet + ".d") // most quadlets have no drop-ins
	for _, entry := range dropIns {
		if filepath.Ext(entry.Name()) == ".conf" {
			parts = append(parts, filepath.Join(quadlet+".d", entry.Name()))
		}
	}
	files = []string{quadlet}
	for _, part := range parts {
		own, err := readStarterText(part)
		if err == nil { // the backup names the unreadable file
			text += own + "\n"
			files = append(files, named(part, quadletFiles(quadlet, own))...)
		}
	}
	return files, text
}

func readStarterText(file string) (string, error) {
	return systemd.ReadSettings(file, "compose file", "correct instance.compose_file")
}

// named returns the absolute paths of the names in a file, as far as the file may name them.
func named(by string, names []string) (files []string) {
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(by), name)
		}
		if mayName(by, name) {
			files = append(files, name)
		}
	}
	return files
}

// composeFiles returns the environment files, secrets and configs that a compose file
// names, and the further compose files that it includes or extends. An unreadable text has
// none.
func composeFiles(text string) (files, included []string) {
	type named struct {
		File string `yaml:"file"`
	}
	var file struct {
		Services map[string]struct {
			EnvFile any `yaml:"env_file"`
			Extends any `yaml:"extends"`
		} `yaml:"services"`
		Include any              `yaml:"include"`
		Secrets map[string]named `yaml:"secrets"`
		Configs map[string]named `yaml:"configs"`
	}
	if yaml.Unmarshal([]byte(text), &file) != nil {
		return nil, nil
	}
	for _, s := range file.Services {
		files = append(files, names(s.EnvFile, "path")...)
		if base, ok := s.Extends.(map[string]any); ok {
			included = append(included, names(base["file"], "")...)
		}
	}
	for _, group := range []map[string]named{file.Secrets, file.Configs} {
		for _, n := range group {
			if n.File != "" {
				files = append(files, n.File)
			}
		}
	}
	included = append(included, names(file.Include, "path")...)
	list, _ := file.Include.([]any)
	for _, item := range list {
		if long, ok := item.(map[string]any); ok {
			files = append(files, names(long["env_file"], "")...)
		}
	}
	hasVariable := func(name string) bool { return strings.Contains(name, "$") }
	return slices.DeleteFunc(files, hasVariable), slices.DeleteFunc(included, hasVariable)
}

// names returns the names of a value: a text, or a list of texts and of values with a key.
func names(value any, key string) (all []string) {
	switch v := value.(type) {
	case string:
		all = append(all, v)
	case []any:
		for _, item := range v {
			all = append(all, names(item, key)...)
		}
	case map[string]any:
		if key != "" {
			all = append(all, names(v[key], "")...)
		}
	}
	return all
}

// mayName reports whether a file may have another file saved: a file of root may name
// every regular file, the file of another user only files of that user.
func mayName(by, file string) bool {
	namer, err1 := os.Stat(by)
	named, err2 := os.Stat(file)
	return err1 == nil && err2 == nil && named.Mode().IsRegular() &&
		(disk.FileUser(namer) == 0 || disk.FileUser(namer) == disk.FileUser(named))
}

// ComposeCommand returns the arguments by which docker compose starts the project of a
// compose file in the file's folder. Only without --file docker compose also reads
// compose.override.yml. exists reports whether the folder has a file.
func ComposeCommand(file string, exists func(name string) bool) []string {
	if usual := slices.IndexFunc(composeNames, exists); usual >= 0 && composeNames[usual] == file {
		return []string{"docker", "compose", "up", "--detach"}
	}
	return []string{"docker", "compose", "--file", file, "up", "--detach"}
}

// IsQuadletOfUser reports whether podman starts a quadlet for a user without root's rights:
// the quadlet lies in ~/.config/containers/systemd or /etc/containers/systemd/users.
func IsQuadletOfUser(quadlet string) bool {
	return strings.Contains(quadlet, "/.config/containers/") || strings.HasPrefix(quadlet, quadletFolder+"/users/")
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
