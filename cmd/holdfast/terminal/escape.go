package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"holdfast/remedy"
)

// Names in a bucket and names of files may try to steer the terminal, or to forge
// a line of Holdfast's own. Everything from outside is escaped before printing.

// Quote returns a name unchanged if all of it is printable and visible, else as a quoted
// string. [Unquote] returns the name.
func Quote(name string) string {
	printable := !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
	if utf8.ValidString(name) && printable && strings.TrimSpace(name) == name {
		return name
	}
	return strconv.Quote(name)
}

// Unquote returns the name of a file in a snapshot, PART/PATH, as a person types the name
// or as [Quote] printed it.
func Unquote(typed string) string {
	if !strings.HasPrefix(typed, `"`) {
		return typed
	}
	name, err := strconv.Unquote(typed)
	if err != nil {
		return typed
	}
	return name
}

// Escape escapes whatever does not print, except line ends, and takes out secrets.
func Escape(text string) string {
	lines := strings.Split(remedy.Redact(text), "\n")
	for i, line := range lines {
		lines[i] = remedy.Escape(line)
	}
	return strings.Join(lines, "\n")
}

// EscapeLine is [Escape] for one line: line ends are escaped too.
func EscapeLine(text string) string { return remedy.Escape(remedy.Redact(text)) }

// escapeJSON escapes whatever does not print in a JSON text, and keeps the meaning. encoding/json
// escapes only some of these characters, and a terminal obeys U+009B as it obeys ESC [.
func escapeJSON(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}
