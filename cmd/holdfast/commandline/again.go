package commandline

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"holdfast/remedy"
)

// Again returns a command of this program for a person to copy, with those flags of this
// run that keep takes. The command works from any folder, and holds no secret: a password
// in a URL is replaced, and so is a command that prints a passphrase.
func Again(flags *pflag.FlagSet, keep func(name string) bool, command ...string) string {
	words := append([]string{"holdfast"}, command...)
	flags.Visit(func(f *pflag.Flag) {
		if !keep(f.Name) {
			return
		}
		name := "--" + f.Name
		switch list, ok := f.Value.(pflag.SliceValue); {
		case ok:
			for _, value := range list.GetSlice() {
				words = append(words, name, remedy.QuoteShell(fromAnywhere(f.Name, value)))
			}
		case f.Name == "passphrase":
			if value := withoutCommand(f.Value.String()); value != "ask" {
				name += "=" + remedy.QuoteShell(value)
			}
			words = append(words, name)
		case f.Value.Type() != "bool":
			words = append(words, name, remedy.QuoteShell(fromAnywhere(f.Name, f.Value.String())))
		case f.Value.String() == "true":
			words = append(words, name)
		}
	})
	return strings.Join(words, " ")
}

func withoutCommand(source string) string {
	if kind, _, _ := strings.Cut(source, ":"); kind == "cmd" {
		return "cmd:…"
	}
	return source
}

// IsHome reports whether a flag names Holdfast's configuration or state.
func IsHome(name string) bool { return name == "config" || name == "state" }

// files are the flags whose value is a path on this machine.
var files = []string{"config", "gotosocial", "identity", "state", "work"}

// fromAnywhere returns a flag's value. A path does not depend on the current folder.
func fromAnywhere(name, value string) string {
	switch {
	case name == "from" && strings.Contains(value, "://"):
		if u, err := url.Parse(value); err == nil && u.User != nil {
			return u.Redacted()
		}
	case value != "-" && (name == "from" || slices.Contains(files, name)):
		if path, err := filepath.Abs(value); err == nil {
			return path
		}
	}
	return value
}
