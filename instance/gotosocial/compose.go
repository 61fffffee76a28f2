package gotosocial

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// composeNames are the names that docker compose looks for, in its order.
var composeNames = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}

// besideCompose are the names of more files that docker compose reads in the same folder.
var besideCompose = []string{
	"compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
	".env",
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

// composeStarter returns a compose file, the files that it names, and the compose files that
// it includes or extends with theirs. text is the text of all compose files.
func composeStarter(starter string) (files []string, text string) {
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
