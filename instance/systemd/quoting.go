package systemd

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The quoting of systemd's units (systemd.syntax(7), "Quoting"), as in systemd 252.
// Quotes may stand anywhere in a word: they group, and are not part of the word.
// The escapes of C have effect inside and outside of quotes.

var (
	errUnbalanced = errors.New("a quote is not closed")
	errEscape     = errors.New("unknown escape after a backslash")
)

// blanks separate words.
const blanks = " \t\n\r"

// quoting is a way to read quoted words.
type quoting struct {
	keepUnknown bool // unknown escapes stand for themselves; else they are errors
}

// SplitWords returns the words of a line. An unknown escape is an error. With an
// error SplitWords returns the words before the fault.
func SplitWords(line string) (words []string, err error) { return quoting{}.split(line) }

// SplitArguments is [SplitWords] for the arguments of a command, where an unknown
// escape stands for itself.
func SplitArguments(line string) (words []string, err error) {
	return quoting{keepUnknown: true}.split(line)
}

func (q quoting) split(line string) (words []string, err error) {
	for line = strings.TrimLeft(line, blanks); line != ""; line = strings.TrimLeft(line, blanks) {
		word, rest, err := q.next(line)
		if err != nil {
			return words, err
		}
		words, line = append(words, word), rest
	}
	return words, nil
}

// CommandLines returns the commands of an ExecStart= line. A semicolon that is a word
// separates two commands. An unknown escape stands for itself.
func CommandLines(line string) (commands [][]string, err error) {
	q := quoting{keepUnknown: true}
	var words []string
	for line = strings.TrimLeft(line, blanks); line != ""; line = strings.TrimLeft(line, blanks) {
		plain, rest := cutWord(line)
		switch plain {
		case ";":
			commands, words = append(commands, words), nil
		case `\;`:
			words = append(words, ";")
		default:
			var word string
			if word, rest, err = q.next(line); err != nil {
				return nil, err
			}
			words = append(words, word)
		}
		line = rest
	}
	return append(commands, words), nil
}

// cutWord cuts at the first blank, even inside quotes.
func cutWord(line string) (word, rest string) {
	if i := strings.IndexAny(line, blanks); i >= 0 {
		return line[:i], line[i:]
	}
	return line, ""
}

// next takes the first word from text. A word begins the text.
func (q quoting) next(text string) (word, rest string, err error) {
	var b strings.Builder
	var quote byte
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\\':
			decoded, n := unescape(text[i+1:])
			if n == 0 {
				if !q.keepUnknown {
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

// unescape decodes the escape at the start of text, which follows a backslash, and
// returns the length of the escape. The length 0 means that text starts with no
// escape.
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
