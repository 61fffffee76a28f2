package gotosocial

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"

	"holdfast/instance/systemd"
	"holdfast/remedy"
)

// readFile reads the configuration file. As in GoToSocial, the extension of the file
// decides its form.
func (c *Config) readFile() error {
	ext := strings.ToLower(filepath.Ext(c.File))
	if decoders[ext] == nil {
		return &remedy.Error{
			Kind: remedy.Setting,
			What: fmt.Sprintf("%s: unknown extension %q", c.File, ext),
			Fix:  "name GoToSocial's configuration file: .yaml, .yml, .json or .toml",
		}
	}
	text, err := systemd.ReadSettings(c.File, "configuration file", "name the file of the server's --config-path")
	if err != nil {
		return err
	}
	if err := c.parse(ext, text); err != nil {
		form := strings.ToUpper(strings.TrimPrefix(ext, "."))
		return &remedy.Error{Kind: remedy.Setting, Fix: "correct that line",
			What: fmt.Sprintf("%s:%s not valid %s", c.File, position(err), form)}
	}
	return nil
}

// decoders are the forms of a configuration file by the extension. JSON is a part of
// YAML. GoToSocial reads YAML by the same library, which bounds nesting and aliases: a
// stranger may have written the file.
var decoders = map[string]func([]byte, *map[string]any) error{
	".yaml": decodeYAML, ".yml": decodeYAML, ".json": decodeYAML,
	".toml": func(text []byte, tree *map[string]any) error { return toml.Unmarshal(text, tree) },
}

func decodeYAML(text []byte, tree *map[string]any) error { return yaml.Unmarshal(text, tree) }

// parse reads the text of a configuration file with the extension.
func (c *Config) parse(ext, text string) error {
	var tree map[string]any
	if err := decoders[ext]([]byte(text), &tree); err != nil {
		return err
	}
	for key, value := range tree {
		key = strings.ToLower(key)
		if nested, ok := value.(map[string]any); ok {
			c.setNested(key, nested)
		} else {
			c.setFromFile(key, value)
		}
	}
	return nil
}

// position returns the place of a syntax error as "LINE:COLUMN:", or "". The error's own
// text quotes lines of the file, and the lines may hold secrets.
func position(err error) string {
	if wrong := (*toml.DecodeError)(nil); errors.As(err, &wrong) {
		line, column := wrong.Position()
		return fmt.Sprintf("%d:%d:", line, column)
	}
	if found := yamlLine.FindStringSubmatch(err.Error()); found != nil {
		return found[1] + ":"
	}
	return ""
}

// yamlLine finds the line in an error of the library for YAML.
var yamlLine = regexp.MustCompile(`\bline (\d+):`)

// setNested flattens the four groups that GoToSocial flattens. Like GoToSocial,
// setNested ignores all other nested keys.
func (c *Config) setNested(group string, nested map[string]any) {
	switch group {
	case "cache", "http-client", "media", "advanced":
		for key, value := range nested {
			key = group + "-" + strings.ToLower(key)
			if deeper, ok := value.(map[string]any); ok {
				for k, v := range deeper {
					c.setFromFile(key+"-"+strings.ToLower(k), v)
				}
			} else {
				c.setFromFile(key, value)
			}
		}
	}
}

func (c *Config) setFromFile(key string, value any) {
	c.set(key, plain(value), Origin{FromFile, c.File})
}

func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = plain(item)
		}
		return strings.Join(items, ",")
	}
	return fmt.Sprint(value)
}
