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

// maxCopied bounds a row, in bytes. The largest of GoToSocial's accounts have
// some ten thousand.
const maxCopied = 16 << 20

// eachCopied calls row with the fields of each line, as COPY printed them. They
// are gone with the next line.
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
			err = fmt.Errorf("it has %d columns, and should have %d", len(fields), columns)
		} else {
			err = row(fields)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("row %d: it is longer than %d bytes", n+1, maxCopied)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("row %d: %w", n+1, err)
	}
	return nil
}

// copiedLine splits at line ends alone: a carriage return is a row's own.
func copiedLine(data []byte, atEnd bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEnd && len(data) > 0 {
		return 0, nil, fmt.Errorf("it is cut off: %w", io.ErrUnexpectedEOF)
	}
	return 0, nil, nil
}

// copiedValue is a field without its escapes; nil is NULL. The format is that
// of PostgreSQL's COPY, "Text Format".
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
			return nil, errors.New("it ends in a backslash")
		}
		c, n := copyEscape(field[1:])
		b.WriteByte(c)
		field = field[1+n:]
	}
	text := b.String()
	return &text, nil
}

// copyEscape reads what follows a backslash: the byte that is meant, and how many
// it took to say so.
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

// digits reads a number of so many digits at most.
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
