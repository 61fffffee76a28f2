package tablelock

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxOutline bounds an outline, in bytes.
const maxOutline = 100

// outline returns the first words of another session's query, in one line. The outline ends
// before the first value: a value may be a password or a post. Only words, names and a few
// signs pass. So the outline needs no knowledge of the settings that change how PostgreSQL
// reads quotes.
func outline(query string) string {
	var b strings.Builder
	var statement []string // the words of the current statement, in capital letters
	rest := query
	for rest != "" && !isValueNext(statement) {
		text, kind := cut(rest)
		touches := strings.IndexAny(rest[len(text):], "'$&") == 0
		if kind == other || kind == term && touches { // as in E'…' and U&'…'
			break
		}
		rest = rest[len(text):]
		switch {
		case kind == space && b.Len() == 0:
			continue
		case kind == space:
			text = " "
		case text == ";":
			statement = nil
		case kind == term:
			statement = append(statement, strings.ToUpper(text))
		}
		b.WriteString(text)
	}
	return shorten(strings.Join(strings.Fields(b.String()), " "), rest == "")
}

// isValueNext reports whether a value without quotes may follow: a setting, or what a person
// wrote between the wrong quotes.
func isValueNext(statement []string) bool {
	if len(statement) == 0 {
		return false
	}
	last := statement[len(statement)-1]
	return last == "VALUES" || last == "PASSWORD" || last == "TO" && slices.Contains(statement, "SET")
}

// shorten cuts an outline at its largest length, and marks an outline that is not the whole query.
func shorten(text string, whole bool) string {
	const mark = " …"
	if end := maxOutline - len(mark); len(text) > end {
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text, whole = text[:end], false
	}
	if text = strings.TrimSpace(text); whole || text == "" {
		return text
	}
	return text + mark
}

// lexeme is the kind of a piece of a query.
type lexeme int

const (
	other lexeme = iota // a value may begin
	space               // white space or a comment
	term                // a keyword or a name
	sign
)

// cut returns the first piece of a query.
func cut(query string) (text string, kind lexeme) {
	end := func(ends func(c byte) bool) int {
		if i := slices.IndexFunc([]byte(query), ends); i >= 0 {
			return i
		}
		return len(query)
	}
	switch c := query[0]; {
	case isSpace(c):
		return query[:end(func(c byte) bool { return !isSpace(c) })], space
	case strings.HasPrefix(query, "--"):
		return query[:end(func(c byte) bool { return c == '\n' || c == '\r' })], space
	case strings.HasPrefix(query, "/*"):
		return query[:commentEnd(query)], space
	case isLetter(c):
		return query[:end(func(c byte) bool { return !isLetter(c) && (c < '0' || c > '9') })], term
	case c == '"':
		if i := strings.IndexByte(query[1:], '"'); i >= 0 {
			return query[:i+2], term // a quote within a name stands twice, as two names would
		}
	case strings.IndexByte("(),.;*", c) >= 0:
		return query[:1], sign
	}
	return "", other
}

func isSpace(c byte) bool  { return strings.IndexByte(" \t\n\r\f\v", c) >= 0 }
func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// commentEnd returns the length of the comment at the beginning of a query. Comments nest.
func commentEnd(query string) int {
	depth := 0
	for i := 0; i+1 < len(query); i++ {
		switch query[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(query)
}
