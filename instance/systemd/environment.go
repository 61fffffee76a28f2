package systemd

import "strings"

// Variable is a variable of a server's environment.
type Variable struct {
	Name, Value string
	File        string // the file that sets the variable; "" for Holdfast's own environment
}

// ParseEnvironment parses the text of an EnvironmentFile= (systemd.exec(5)). Quotes
// have effect only at the start of a value. A backslash keeps the next character, or
// joins two lines. Nothing is expanded. The variables get the place.
func ParseEnvironment(text, place string) (vars []Variable) {
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
		if name = strings.TrimRight(name, blanks); ValidName(name) {
			vars = append(vars, Variable{name, value, place})
		}
	}
	return vars
}

// serviceValue returns the value at the start of text, and the text after the
// value's line. Without a closing quote the value extends to the end.
func serviceValue(text string) (value, rest string) {
	var b strings.Builder
	kept := 0 // blanks up to this length belong to the value
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

// quoted writes the text before the closing quote to b, and returns the length of
// that text.
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

// ValidName reports whether systemd accepts the name of a variable.
func ValidName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
