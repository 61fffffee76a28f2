package instance

import (
	"strings"
	"unicode"
)

// printable leaves out what could end a line or steer a terminal.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, s)
}
