package psql

import (
	"errors"
	"fmt"
	"strings"
)

// token is a word, a name, a text or a sign of a script.
type token struct {
	kind tokenKind
	text string // a word in small letters, a name without quotes, or one sign
}

type tokenKind int

const (
	word    tokenKind = iota // a keyword or an unquoted name
	name                     // a name in double quotes
	literal                  // a text in single quotes or in dollar quotes
	number
	sign
)

// lexer reads the tokens of a script. The lexer understands what pg_dump writes, and
// refuses all that psql and PostgreSQL may read differently: a command of psql must not
// hide in what looks like a text.
type lexer struct {
	text string
	at   int
	last token // the token before
	end  int   // where last ends
}

// next returns the next token. At the end ok is false.
func (l *lexer) next() (t token, ok bool, err error) {
	l.skip()
	if l.at == len(l.text) {
		return t, false, nil
	}
	start, touches := l.at, l.at == l.end && l.at > 0
	switch c := l.text[l.at]; {
	case c == '\'':
		t, err = l.quoted(touches)
	case c == '"':
		t, err = l.name(touches)
	case c == '$':
		t, err = l.dollar(touches)
	case isLetter(c):
		t = token{word, strings.ToLower(l.run(isLetterOrDigit))}
	case isDigit(c):
		t = token{number, l.run(func(c byte) bool { return isLetterOrDigit(c) || c == '.' })}
	default:
		t, err = l.sign()
	}
	if err != nil {
		return t, false, fmt.Errorf("line %d: %w", 1+strings.Count(l.text[:start], "\n"), err)
	}
	l.last, l.end = t, l.at
	return t, true, nil
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

func isLetterOrDigit(c byte) bool { return isLetter(c) || isDigit(c) }

// run takes bytes as long as they belong.
func (l *lexer) run(belongs func(byte) bool) string {
	start := l.at
	for l.at < len(l.text) && belongs(l.text[l.at]) {
		l.at++
	}
	return l.text[start:l.at]
}

// skip passes over white space and comments. For psql a carriage return ends a comment.
func (l *lexer) skip() {
	for l.at < len(l.text) {
		switch {
		case strings.IndexByte(" \t\n\r\f", l.text[l.at]) >= 0:
			l.at++
		case strings.HasPrefix(l.text[l.at:], "--"):
			l.run(func(c byte) bool { return c != '\n' && c != '\r' })
		default:
			return
		}
	}
}

// quoted reads a text in single quotes. Settings change what a backslash means, so the text
// must end at the same quote under each setting.
func (l *lexer) quoted(touches bool) (t token, err error) {
	escapes := false
	switch {
	case l.last.kind == literal:
		return t, errors.New("two texts follow each other")
	case touches && l.last == (token{word, "e"}):
		escapes = true
	case touches && l.last != (token{word, "b"}) && l.last != (token{word, "x"}) && !l.afterSign():
		return t, fmt.Errorf("a text follows %q", l.last.text)
	}
	start, slashes := l.at+1, 0
	for i := start; i < len(l.text); i++ {
		switch {
		case l.text[i] == '\\':
			slashes++
			continue
		case l.text[i] == '\'' && slashes%2 == 1 && !escapes:
			return t, errors.New("a backslash comes before a quote")
		case l.text[i] == '\'' && slashes%2 == 1:
		case l.text[i] == '\'' && strings.HasPrefix(l.text[i:], "''"):
			i++
		case l.text[i] == '\'':
			l.at = i + 1
			return token{literal, l.text[start:i]}, nil
		}
		slashes = 0
	}
	return t, errors.New("a text has no end")
}

// afterSign reports whether a sign is the token before. After & (U&"…") names have escapes.
func (l *lexer) afterSign() bool { return l.last.kind == sign && l.last.text != "&" }

// name reads a name in double quotes.
func (l *lexer) name(touches bool) (t token, err error) {
	if touches && !l.afterSign() {
		return t, fmt.Errorf("a name follows %q", l.last.text)
	}
	text, rest, ok := cutName(l.text[l.at:])
	if !ok {
		return t, errors.New("a name has no end")
	}
	l.at = len(l.text) - len(rest)
	return token{name, text}, nil
}

// dollar reads a text in dollar quotes, such as $_$…$_$, or a parameter, such as $1.
func (l *lexer) dollar(touches bool) (t token, err error) {
	if touches && !l.afterSign() || l.last.kind == literal {
		return t, fmt.Errorf("a dollar follows %q", l.last.text)
	}
	start := l.at
	l.at++
	tag := l.run(isLetterOrDigit)
	if tag != "" && isDigit(tag[0]) {
		if strings.Trim(tag, "0123456789") != "" || strings.HasPrefix(l.text[l.at:], "$") {
			return t, errors.New("a letter follows a parameter")
		}
		return token{number, tag}, nil
	}
	quote := "$" + tag + "$"
	text, ok := strings.CutPrefix(l.text[start:], quote)
	text, _, ends := strings.Cut(text, quote)
	if !ok || !ends {
		return t, errors.New("a text in dollar quotes has no end")
	}
	l.at = start + len(text) + 2*len(quote)
	return token{literal, text}, nil
}

// sign reads one sign. A backslash begins a command of psql, and a colon a variable of psql.
func (l *lexer) sign() (t token, err error) {
	rest := l.text[l.at:]
	cast := strings.HasPrefix(rest, "::")
	switch {
	case rest[0] == '\\':
		return t, errors.New("a command of psql")
	case rest[0] == 0 || strings.HasPrefix(rest, "/*"):
		return t, errors.New("a comment or a NUL within a statement")
	case rest[0] == ':' && !cast && len(rest) > 1 && (isLetter(rest[1]) || strings.IndexByte(`'"{`, rest[1]) >= 0):
		return t, errors.New("a variable of psql")
	case cast:
		l.at += 2
		return token{sign, "::"}, nil
	}
	l.at++
	return token{sign, rest[:1]}, nil
}
