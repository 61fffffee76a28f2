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

// settingKey is the setting that the variable sets; ok is false for one that is none of
// GoToSocial's, and for an empty one, which the server takes for none.
func settingKey(v systemd.Variable) (key string, ok bool) {
	name, ok := strings.CutPrefix(v.Name, "GTS_")
	return strings.ReplaceAll(strings.ToLower(name), "_", "-"), ok && name != "" && v.Value != ""
}

// ownVariables are those of an environment in the form of os.Environ.
func ownVariables(env []string) (vars []systemd.Variable) {
	for _, text := range env {
		name, value, _ := strings.Cut(text, "=")
		vars = append(vars, systemd.Variable{Name: name, Value: value})
	}
	return vars
}

// containerVariables reads the text of an environment file as docker compose
// does. warning says what can't be known from the file.
func containerVariables(text, place string) (vars []systemd.Variable, warning string, err error) {
	// It would print what follows a $ that nobody meant as a variable: a piece of
	// a password.
	logrus.SetOutput(io.Discard)
	asked := map[string]bool{}
	values, err := dotenv.ParseWithLookup(strings.NewReader(text), func(name string) (string, bool) {
		asked[name] = true
		return "", false
	})
	if err != nil { // its words hold the line
		return nil, "", &remedy.Error{Kind: remedy.Setting, What: place + " is no environment file that docker compose reads" + lineOf(err), Fix: "correct that line: NAME=VALUE, with single quotes around a value that has other characters than letters and digits"}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		vars = append(vars, systemd.Variable{Name: name, Value: values[name], Place: place})
	}
	for name := range asked {
		if _, ok := values[name]; !ok {
			warning = fmt.Sprintf("%s uses a variable that it doesn't set, taken as empty: a $ that stands for itself is written $$, or the value put between single quotes", place)
		}
	}
	return vars, warning, nil
}

// lineOf is " (line N)", where the error says so.
func lineOf(err error) string {
	var line int
	if _, scan := fmt.Sscanf(err.Error(), "line %d:", &line); scan != nil {
		return ""
	}
	return fmt.Sprintf(" (line %d)", line)
}
