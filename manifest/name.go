package manifest

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// StandIn returns the path of the listing for a path of a disk. A name on a disk may hold
// line breaks, and bytes that are no UTF-8. StandIn writes each such byte as U+FFFD and
// two hexadecimal digits, and returns any other path unchanged.
func StandIn(path string) string {
	if utf8.ValidString(path) && !strings.ContainsAny(path, "\n\r") {
		return path
	}
	var b strings.Builder
	for len(path) > 0 {
		r, n := utf8.DecodeRuneInString(path)
		if r == utf8.RuneError && n == 1 || r == '\n' || r == '\r' {
			fmt.Fprintf(&b, "\uFFFD%02X", path[0])
		} else {
			b.WriteString(path[:n])
		}
		path = path[n:]
	}
	return b.String()
}

// TruePath returns the path on a disk.
func (f *File) TruePath() string {
	if f.Name != nil {
		return string(f.Name)
	}
	return f.Path
}

// validateName checks the true path of a file. The path of the listing follows from the
// true path. Therefore the rules for paths also hold for true paths: a true path climbs
// nowhere, and lies below a link only if the path of the listing does.
func (f *File) validateName() error {
	if f.Part != Files || bytes.IndexByte(f.Name, 0) >= 0 || StandIn(string(f.Name)) != f.Path ||
		string(f.Name) == f.Path {
		return fmt.Errorf("name %.100q does not belong to the path", f.Name)
	}
	return nil
}
