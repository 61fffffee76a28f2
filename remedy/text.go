package remedy

import (
	"fmt"
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

// Plural is a number of things: "1 file", "2 files".
func Plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
