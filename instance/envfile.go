package instance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"holdfast/remedy"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/sirupsen/logrus"
)

// variable is one variable of the server's environment.
type variable struct {
	name, value string
	place       string // the file that sets it; "" for Holdfast's own environment
}

// key is the setting that the variable sets; ok is false for one that is none of
// GoToSocial's, and for an empty one, which the server takes for none.
func (v variable) key() (key string, ok bool) {
	name, ok := strings.CutPrefix(v.name, "GTS_")
	return strings.ReplaceAll(strings.ToLower(name), "_", "-"), ok && name != "" && v.value != ""
}

// ownVariables are those of an environment in the form of os.Environ.
func ownVariables(env []string) (vars []variable) {
	for _, text := range env {
		name, value, _ := strings.Cut(text, "=")
		vars = append(vars, variable{name: name, value: value})
	}
	return vars
}

// serviceVariables reads the text of an EnvironmentFile= as systemd does
// (systemd.exec(5)): quotes count only at the start of a value, a backslash keeps
// the next character and joins lines, nothing is expanded.
func serviceVariables(text, place string) (vars []variable) {
	for text = strings.TrimLeft(text, blanks); text != ""; text = strings.TrimLeft(text, blanks) {
		line, rest, _ := strings.Cut(text, "\n")
		if line[0] == '#' || line[0] == ';' {
			text = rest
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if !ok {
			text = rest
			continue
		}
		value, left := serviceValue(text[len(name)+1:])
		text = left
		if name = strings.TrimRight(name, blanks); validName(name) {
			vars = append(vars, variable{name, value, place})
		}
	}
	return vars
}

// serviceValue is the value at the start of text, and what follows its line. One
// whose quote is never closed goes on to the end.
func serviceValue(text string) (value, rest string) {
	var b strings.Builder
	kept := 0 // the length up to which blanks are the value's own
	bare := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			return b.String()[:max(kept, len(strings.TrimRight(b.String(), blanks)))], text[i+1:]
		case c == '\\':
			if i++; i < len(text) && text[i] != '\n' {
				b.WriteByte(text[i])
			}
			bare, kept = true, b.Len()
		case !bare && (c == '"' || c == '\''):
			i += quoted(&b, text[i+1:], c) + 1
			kept = b.Len()
		case !bare && strings.IndexByte(blanks, c) >= 0:
		default:
			b.WriteByte(c)
			bare = true
		}
	}
	return b.String()[:max(kept, len(strings.TrimRight(b.String(), blanks)))], ""
}

// quoted writes what stands before the closing quote, and returns its length in
// text.
func quoted(b *strings.Builder, text string, quote byte) int {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == quote:
			return i
		case c == '\\' && quote == '"' && i+1 < len(text):
			i++
			switch next := text[i]; {
			case next == '\n':
			case strings.IndexByte("\"\\`$", next) >= 0:
				b.WriteByte(next)
			default:
				b.WriteByte(c)
				b.WriteByte(next)
			}
		default:
			b.WriteByte(c)
		}
	}
	return len(text)
}

// validName reports whether systemd takes a variable of that name.
func validName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// containerVariables reads the text of an environment file as docker compose
// does. warning says what can't be known from the file.
func containerVariables(text, place string) (vars []variable, warning string, err error) {
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
		vars = append(vars, variable{name, values[name], place})
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

// readText reads a small file of settings.
func readText(path string) (string, error) {
	f, err := openFile(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxConfig {
		return "", &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("%s is larger than %d bytes", path, maxConfig), Fix: "name a file of settings"}
	}
	return string(text), nil
}

// unreadFile says what to do about a file of settings that can't be read: fix,
// unless it is there and closed, or says itself what is wrong.
func unreadFile(what string, err error, fix string) error {
	if problem := (*remedy.Error)(nil); errors.As(err, &problem) {
		return err
	}
	if errors.Is(err, fs.ErrPermission) {
		fix = "run Holdfast as root, or let its user read the file"
	}
	return &remedy.Error{Kind: remedy.Source, What: "no " + what, Err: err, Fix: fix}
}
