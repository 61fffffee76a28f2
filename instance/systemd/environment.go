package systemd

import "strings"

// Variable is one variable of the server's environment.
type Variable struct {
	Name, Value string
	Place       string // the file that sets it; "" for Holdfast's own environment
}

// ParseEnvironment reads the text of an EnvironmentFile= as systemd does
// (systemd.exec(5)): quotes count only at the start of a value, a backslash keeps
// the next character and joins lines, nothing is expanded.
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

// ValidName reports whether systemd takes a variable of that name.
func ValidName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
