package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"holdfast/internal/strict"
)

// Hash is a SHA-256. In JSON it is unpadded standard base64, 43 characters.
type Hash [sha256.Size]byte

// Hex returns lower-case hexadecimal, as in an object's name.
func (h Hash) Hex() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether the hash is unset.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns the first 10 hexadecimal digits, enough for a person to recognise the hash.
func (h Hash) String() string { return h.Hex()[:10] }

// MarshalText writes unpadded standard base64.
func (h Hash) MarshalText() ([]byte, error) {
	return base64.RawStdEncoding.AppendEncode(nil, h[:]), nil
}

// UnmarshalText reads the output of MarshalText and refuses any other text.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != base64.RawStdEncoding.EncodedLen(len(h)) {
		return fmt.Errorf("hash of %d characters, want 43", len(text))
	}
	sum, err := strict.Base64(base64.RawStdEncoding, text)
	if err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	copy(h[:], sum)
	return nil
}

// Hashes are hashes in order.
type Hashes []Hash

// UnmarshalJSON reads an array of hashes, and needs little memory beside the
// result.
func (h *Hashes) UnmarshalJSON(text []byte) (err error) {
	const each = len(`"",`) + 43
	*h, err = array(text, len(text)/each+1, func(one *Hash, raw []byte) error {
		if quoted := len(raw) > 1 && raw[0] == '"'; quoted && !bytes.ContainsRune(raw, '\\') {
			return one.UnmarshalText(raw[1 : len(raw)-1])
		}
		return json.Unmarshal(raw, one)
	})
	return err
}

// ParseHex reads 64 lower-case hexadecimal digits.
func ParseHex(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) || strings.ToLower(s) != s {
		return h, fmt.Errorf("%.100q is not a SHA-256 in lower-case hexadecimal", s)
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return h, fmt.Errorf("%.100q is not a SHA-256: %w", s, err)
	}
	return h, nil
}
