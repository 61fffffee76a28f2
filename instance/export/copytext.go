package export

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxCopied is the length of the longest row, in bytes. The longest rows of
// GoToSocial's accounts have about ten thousand bytes.
const maxCopied = 16 << 20

// eachCopied calls row with the fields of each line, as COPY printed them. The fields
// are valid until row returns.
func eachCopied(r io.Reader, columns int, row func(fields [][]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxCopied)
	lines.Split(copiedLine)
	n := 0
	for lines.Scan() {
		n++
		fields := bytes.Split(lines.Bytes(), []byte{'\t'})
		err := error(nil)
		if len(fields) != columns {
			err = fmt.Errorf("the row has %d columns instead of %d", len(fields), columns)
		} else {
			err = row(fields)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("row %d: the row is longer than %d bytes", n+1, maxCopied)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("row %d: %w", n+1, err)
	}
	return nil
}

// copiedLine splits at line feeds only: a carriage return belongs to the row.
func copiedLine(data []byte, atEnd bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEnd && len(data) > 0 {
		return 0, nil, fmt.Errorf("the table is cut off: %w", io.ErrUnexpectedEOF)
	}
	return 0, nil, nil
}

// copiedValue removes the escapes of a field (PostgreSQL's COPY, "Text Format"). It
// returns nil for NULL.
func copiedValue(field []byte) (*string, error) {
	if string(field) == `\N` {
		return nil, nil
	}
	var b strings.Builder
	for len(field) > 0 {
		i := bytes.IndexByte(field, '\\')
		if i < 0 {
			i = len(field)
		}
		b.Write(field[:i])
		if field = field[i:]; len(field) == 0 {
			break
		}
		if len(field) == 1 {
			return nil, errors.New("a column ends in a backslash")
		}
		c, n := copyEscape(field[1:])
		b.WriteByte(c)
		field = field[1+n:]
	}
	text := b.String()
	return &text, nil
}

// copyEscape decodes the escape after a backslash: the byte, and the length of the
// escape.
func copyEscape(s []byte) (c byte, n int) {
	switch s[0] {
	case 'b':
		return '\b', 1
	case 'f':
		return '\f', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'v':
		return '\v', 1
	case 'x':
		if c, n := digits(s[1:], 16, 2); n > 0 {
			return c, 1 + n
		}
	}
	if c, n := digits(s, 8, 3); n > 0 {
		return c, n
	}
	return s[0], 1
}

// digits reads a number with at most so many digits, and returns the number of
// digits.
func digits(s []byte, base, most int) (c byte, n int) {
	for n < min(len(s), most) {
		d, err := strconv.ParseUint(string(s[n:n+1]), base, 8)
		if err != nil {
			break
		}
		c, n = c*byte(base)+byte(d), n+1
	}
	return c, n
}
