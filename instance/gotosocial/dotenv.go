package gotosocial

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/sirupsen/logrus"

	"holdfast/instance/systemd"
	"holdfast/remedy"
)

// settingKey returns the setting of a variable. ok is false for a variable that is not
// GoToSocial's, and for an empty variable, which the server ignores.
func settingKey(v systemd.Variable) (key string, ok bool) {
	name, ok := strings.CutPrefix(v.Name, "GTS_")
	return strings.ReplaceAll(strings.ToLower(name), "_", "-"), ok && name != "" && v.Value != ""
}

// ownVariables returns the variables of an environment in the form of [os.Environ].
func ownVariables(env []string) (vars []systemd.Variable) {
	for _, text := range env {
		name, value, _ := strings.Cut(text, "=")
		vars = append(vars, systemd.Variable{Name: name, Value: value})
	}
	return vars
}

// containerVariables parses an environment file as docker compose does. The warning
// tells a person about variables that the file uses and does not set.
func containerVariables(text, file string) (vars []systemd.Variable, warning string, err error) {
	// The parser would log the text after a $ that belongs to a password.
	logrus.SetOutput(io.Discard)
	asked := map[string]bool{}
	values, err := dotenv.ParseWithLookup(strings.NewReader(text), func(name string) (string, bool) {
		asked[name] = true
		return "", false
	})
	if err != nil { // the error quotes the line
		return nil, "", &remedy.Error{Kind: remedy.Setting, What: file +
			" is not an environment file of docker compose" + lineOf(err), Fix: "write NAME=VALUE, with single " +
			"quotes around a value with other characters than letters and digits"}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		vars = append(vars, systemd.Variable{Name: name, Value: values[name], File: file})
	}
	for name := range asked {
		if _, ok := values[name]; !ok {
			warning = fmt.Sprintf("%s uses a variable that it does not set: write $$ for a dollar, or put the value "+
				"between single quotes", file)
		}
	}
	return vars, warning, nil
}

// lineOf returns " (line N)" if the error names a line.
func lineOf(err error) string {
	var line int
	if _, scan := fmt.Sscanf(err.Error(), "line %d:", &line); scan != nil {
		return ""
	}
	return fmt.Sprintf(" (line %d)", line)
}

// Quote puts a value in double quotes, with the escapes on which systemd's
// EnvironmentFile= and a shell agree.
func Quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(value) + `"`
}
