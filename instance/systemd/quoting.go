package systemd

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The quoting of systemd's units (systemd.syntax(7), "Quoting"), as systemd 252
// reads it: quotes group and vanish wherever in a word they stand, and C's
// escapes count within both kinds and outside.

var (
	errUnbalanced = errors.New("a quote is never closed")
	errEscape     = errors.New("a backslash before what it can't escape")
)

// blanks is what separates words.
const blanks = " \t\n\r"

// SplitWords are the words of a line; where it goes wrong, those before that.
// lenient keeps unknown escapes as they are.
func SplitWords(line string, lenient bool) (words []string, err error) {
	for line = strings.TrimLeft(line, blanks); line != ""; line = strings.TrimLeft(line, blanks) {
		word, rest, err := nextWord(line, lenient)
		if err != nil {
			return words, err
		}
		words, line = append(words, word), rest
	}
	return words, nil
}

// CommandLines are the commands of an ExecStart= line; a lone semicolon ends
// each but the last. An unknown escape stands for itself there.
func CommandLines(line string) (commands [][]string, err error) {
	var words []string
	for line = strings.TrimLeft(line, blanks); line != ""; line = strings.TrimLeft(line, blanks) {
		lone, rest := cutWord(line)
		switch lone {
		case ";":
			commands, words = append(commands, words), nil
		case `\;`:
			words = append(words, ";")
		default:
			var word string
			if word, rest, err = nextWord(line, true); err != nil {
				return nil, err
			}
			words = append(words, word)
		}
		line = rest
	}
	return append(commands, words), nil
}

// cutWord cuts at the first blank, whatever is quoted.
func cutWord(line string) (word, rest string) {
	if i := strings.IndexAny(line, blanks); i >= 0 {
		return line[:i], line[i:]
	}
	return line, ""
}

// nextWord takes the first word from text, which starts with it.
func nextWord(text string, lenient bool) (word, rest string, err error) {
	var b strings.Builder
	var quote byte
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\\':
			decoded, n := unescape(text[i+1:])
			if n == 0 {
				if !lenient {
					return "", "", errEscape
				}
				_, n = utf8.DecodeRuneInString(text[i+1:])
				decoded = text[i : i+1+n]
			}
			b.WriteString(decoded)
			i += n
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			return b.String(), text[i:], nil
		default:
			b.WriteByte(c)
		}
		i++
	}
	if quote != 0 {
		return "", "", errUnbalanced
	}
	return b.String(), "", nil
}

// unescape is what the escape at the start of text, behind its backslash, stands
// for, and how long it is: 0 where it is none.
func unescape(text string) (decoded string, length int) {
	if text == "" {
		return "", 0
	}
	if i := strings.IndexByte(`abfnrtv\"'s`, text[0]); i >= 0 {
		return "\a\b\f\n\r\t\v\\\"' "[i : i+1], 1
	}
	number := func(start, digits, base int) (uint64, bool) {
		if len(text) < start+digits {
			return 0, false
		}
		for _, c := range []byte(text[start : start+digits]) {
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
				return 0, false
			}
		}
		n, err := strconv.ParseUint(text[start:start+digits], base, 32)
		return n, err == nil && n != 0
	}
	switch c := text[0]; {
	case c == 'x':
		if n, ok := number(1, 2, 16); ok {
			return string([]byte{byte(n)}), 3
		}
	case c == 'u':
		if n, ok := number(1, 4, 16); ok && utf8.ValidRune(rune(n)) {
			return string(rune(n)), 5
		}
	case c == 'U':
		if n, ok := number(1, 8, 16); ok && n <= utf8.MaxRune && utf8.ValidRune(rune(n)) {
			return string(rune(n)), 9
		}
	case '0' <= c && c <= '7':
		if n, ok := number(0, 3, 8); ok && n <= 255 {
			return string([]byte{byte(n)}), 3
		}
	}
	return "", 0
}
