package remote

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckKey returns an error if text can't be an access key, a secret key, a session token
// or a passphrase: a file with two keys, or a spoilt file. A secret key of MinIO may have
// blanks. The error does not quote the key.
func CheckKey(text string) error {
	if strings.Contains(text, "\n") {
		return fmt.Errorf("has %d lines instead of one", strings.Count(text, "\n")+1)
	}
	if !utf8.ValidString(text) {
		return errors.New("has bytes that are no text in UTF-8")
	}
	for n, c := range []rune(text) {
		if unicode.IsControl(c) || c == '\ufeff' {
			return fmt.Errorf("has the character %U at place %d, which nobody can type", c, n+1)
		}
	}
	return nil
}
