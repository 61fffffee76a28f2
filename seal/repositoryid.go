package seal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// RepositoryID is the public half of the repository's root key. The text form
// is bech32 (BIP 173) with the prefix "hf": 61 characters from "hf1" to a
// checksum that detects a mistyped character.
type RepositoryID [ed25519.PublicKeySize]byte

// IsZero reports whether the ID names no repository.
func (id RepositoryID) IsZero() bool { return id == RepositoryID{} }

// String returns "hf1…".
func (id RepositoryID) String() string { return bech32("hf", id[:]) }

// MarshalText writes "hf1…".
func (id RepositoryID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads "hf1…".
func (id *RepositoryID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseRepositoryID(string(text))
	return err
}

// ParseRepositoryID reads "hf1…" and verifies the checksum.
func ParseRepositoryID(s string) (RepositoryID, error) {
	var id RepositoryID
	data, err := parseBech32("hf", s)
	if err == nil && len(data) != len(id) {
		err = errors.New("wrong length")
	}
	if err != nil {
		return id, fmt.Errorf("repository ID %.100q: %w", s, err)
	}
	copy(id[:], data)
	return id, nil
}
