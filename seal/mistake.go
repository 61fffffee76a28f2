package seal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// PlainText returns text that an editor of Windows may have saved: without a byte order
// mark, and in UTF-8.
func PlainText(raw []byte) string {
	order := binary.ByteOrder(binary.LittleEndian)
	switch {
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		return string(raw[3:])
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		order = binary.BigEndian
	case !bytes.HasPrefix(raw, []byte("\xff\xfe")):
		return string(raw)
	}
	var units []uint16
	for raw = raw[2:]; len(raw) >= 2; raw = raw[2:] {
		units = append(units, order.Uint16(raw))
	}
	return string(utf16.Decode(units))
}

const (
	identityStart  = "AGE-SECRET-KEY-1"
	identityLength = 74 // characters of an X25519 identity
)

// mistake says why a line is no identity. At most one wrong letter is quoted: the rest may
// be the key.
func mistake(line string) string {
	digits, ok := strings.CutPrefix(strings.ToLower(line), strings.ToLower(identityStart))
	if !ok {
		return "is not an age identity (" + identityStart + "…)"
	}
	for n, c := range []rune(digits) {
		if !strings.ContainsRune(bech32Alphabet, c) {
			return fmt.Sprintf("has a mistyped key: character %d is %q, and no key has this character",
				len(identityStart)+n+1, c)
		}
	}
	if n := utf8.RuneCountInString(line); n != identityLength {
		return fmt.Sprintf("has a key of %d characters, and a whole key has %d", n, identityLength)
	}
	return "has a mistyped key: its checksum does not match, so at least one letter is wrong"
}
