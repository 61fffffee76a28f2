package agent

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/template"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"holdfast/remedy"
	"holdfast/seal"
)

// configText is init's template of the configuration file. Settings without a value
// are left out.
var configText = template.Must(template.New("config").Funcs(template.FuncMap{"quote": quote}).Parse(
	`# Holdfast's configuration. "holdfast config show" prints every setting, "holdfast config check" tries them.
instance:
{{- with .Instance.GoToSocial}}
  gotosocial: {{quote .}}{{end}}
{{- with .Instance.Unit}}
  unit: {{quote .}}{{end}}
{{- with .Instance.EnvFile}}
  env_file: {{quote .}}{{end}}
{{- with .Instance.ComposeFile}}
  compose_file: {{quote .}}{{end}}
{{- with .Instance.Paths}}
  paths:
{{- range $theirs, $ours := .}}
    {{quote $theirs}}: {{quote $ours}}{{end}}{{end}}
{{- with .Instance.WorkingDir}}
  working_dir: {{quote .}}{{end}}
{{- with .Instance.Postgres}}
  postgres: {{quote .}}{{end}}
{{- with .Instance.PostgresUser}}
  postgres_user: {{quote .}}{{end}}
{{- with .Instance.PostgresPassword}}
  postgres_password: {{quote .}}{{end}}
{{- with .Instance.CA}}
  ca: {{quote .}}{{end}}
{{- with .Instance.Binary}}
  binary: {{quote .}}{{end}}
{{- with .Instance.Extra}}
  extra:
{{- range .}}
    - {{quote .}}{{end}}{{end}}
remotes:
{{- range .Remotes}}
  - url: {{quote .URL}}
{{- with .AccessKey}}
    access_key: {{quote .}}{{end}}
{{- with .SecretKey}}
    secret_key: {{quote .}}{{end}}
{{- with .Region}}
    region: {{quote .}}{{end}}
{{- with .CA}}
    ca: {{quote .}}{{end}}
{{- end}}
`))

// Text returns the text of a configuration file with the settings of init: those of
// the instance and of the remotes.
func (c *Config) Text() (string, error) {
	var b strings.Builder
	err := configText.Execute(&b, c)
	return b.String(), err
}

// quote writes a YAML string, in the form of JSON. A [secret.Source] appears unhidden.
func quote(v any) (string, error) {
	text, err := json.Marshal(reflect.ValueOf(v).String())
	return string(text), err
}

// parseConfig reads a configuration, also with a byte order mark or in UTF-16. An error
// starts with "LINE:COLUMN: ", or with a space if no line is at fault.
func parseConfig(text []byte) (*Config, error) {
	var c Config
	err := yaml.NewDecoder(strings.NewReader(seal.PlainText(text)), yaml.Strict()).Decode(&c)
	var placed yaml.Error
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New(" the file is empty")
	case errors.As(err, &placed) && placed.GetToken() != nil:
		at := placed.GetToken().Position
		return nil, fmt.Errorf("%d:%d: %s%s", at.Line, at.Column, cmp.Or(wrongType(err), placed.GetMessage()),
			suggestKey(err))
	case err != nil:
		return nil, fmt.Errorf(" %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf(" %w", err)
	}
	return &c, nil
}

// wrongType names the right type of a value. The result is empty for an error of any
// other kind.
func wrongType(err error) string {
	var node *yaml.UnexpectedNodeTypeError
	var value *yaml.TypeError
	var large *yaml.OverflowError
	switch {
	case errors.As(err, &node) && node.Expected == ast.SequenceType:
		return "a list belongs here: [ONE, ANOTHER]"
	case errors.As(err, &node):
		return "keys and their values belong here"
	case errors.As(err, &large), errors.As(err, &value) && value.DstType.Kind() == reflect.Int:
		return "a whole number belongs here"
	case errors.As(err, &value):
		return "text belongs here"
	}
	return ""
}

// keys are all keys of the configuration.
var keys = []string{"instance", "gotosocial", "unit", "env_file", "compose_file", "paths", "working_dir",
	"postgres", "postgres_user", "postgres_password", "lock_wait", "binary", "extra",
	"remotes", "url", "access_key", "secret_key", "region", "ca", "spool", "workers"}

// suggestKey names the keys with the most similar spelling.
func suggestKey(err error) string {
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) {
		return ""
	}
	return remedy.DidYouMean(remedy.Near(unknown.GetToken().Value, keys))
}
