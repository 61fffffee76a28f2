package remote

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckKey returns an error if text can't be an access key, a secret key or a session
// token: a file with two keys, or a spoilt file. A secret key of MinIO may have blanks.
// The error does not quote the key.
func CheckKey(text string) error {
	if strings.Contains(text, "\n") {
		return fmt.Errorf("has %d lines, and a key is one line", strings.Count(text, "\n")+1)
	}
	if !utf8.ValidString(text) {
		return errors.New("has bytes that are no text in UTF-8")
	}
	for n, c := range []rune(text) {
		if unicode.IsControl(c) || c == '\ufeff' {
			return fmt.Errorf("has the character %U at place %d, and no key has this character", c, n+1)
		}
	}
	return nil
}
