package remedy

import (
	"strconv"
	"strings"
	"unicode"
)

// Printable leaves out characters that could end a line or steer a terminal.
func Printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, s)
}

// maxLine bounds the text of [Line], in bytes. Errors of this program quote at
// most 100 bytes of a text from outside, and two texts at most.
const maxLine = 400

// Line returns an error with the same causes and a text that fits into one line:
// line ends and control characters are escaped, and a long text is cut. So bytes
// from outside in an error never look like lines of Holdfast.
func Line(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	short := Escape(text)
	if len(short) > maxLine {
		short = strings.ToValidUTF8(short[:maxLine], "") + "…"
	}
	if short == text {
		return err
	}
	return &line{short, err}
}

// Cut returns a text from outside for a quotation: escaped, and at most 100 bytes.
func Cut(text string) string {
	const most = 100
	if text = Escape(text[:min(len(text), 2*most)]); len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// line is an error with a shorter text.
type line struct {
	text string
	err  error
}

func (l *line) Error() string { return l.text }

func (l *line) Unwrap() error { return l.err }

// Escape escapes line ends and whatever else does not print.
func Escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
