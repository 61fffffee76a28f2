package manifest

import (
	"encoding/json"
	"strings"
)

// The kinds of objects, as prefixes of their names in the remote.
const (
	PackObjectPrefix   = "packs/"
	KeyObjectPrefix    = "keys/"
	RecordObjectPrefix = "snapshots/"
)

// Pack is a pack in a record. In JSON a Pack is [number, name, size].
type Pack struct {
	Number uint32
	Name   Hash
	Size   int64 // sealed bytes
}

// Key is a key object in a record. In JSON a Key is [name, size].
type Key struct {
	Name Hash
	Size int64
}

// Object returns the pack's name in the remote.
func (p Pack) Object() string { return PackObjectPrefix + p.Name.Hex() }

// Object returns the key object's name in the remote.
func (k Key) Object() string { return KeyObjectPrefix + k.Name.Hex() }

// RecordObject returns a record's name in the remote.
func RecordObject(name Hash) string { return RecordObjectPrefix + name.Hex() }

// ParseObject splits an object's name in the remote into the prefix of the kind and the
// SHA-256. ok is false if a repository has no objects of this name.
func ParseObject(object string) (prefix string, name Hash, ok bool) {
	for _, prefix := range []string{PackObjectPrefix, KeyObjectPrefix, RecordObjectPrefix} {
		if hex, found := strings.CutPrefix(object, prefix); found {
			name, err := ParseHex(hex)
			return prefix, name, err == nil
		}
	}
	return "", Hash{}, false
}

// MarshalJSON writes [number, name, size].
func (p Pack) MarshalJSON() ([]byte, error) { return json.Marshal([]any{p.Number, p.Name, p.Size}) }

// UnmarshalJSON reads [number, name, size].
func (p *Pack) UnmarshalJSON(text []byte) error { return tuple(text, &p.Number, &p.Name, &p.Size) }

// MarshalJSON writes [name, size].
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal([]any{k.Name, k.Size}) }

// UnmarshalJSON reads [name, size].
func (k *Key) UnmarshalJSON(text []byte) error { return tuple(text, &k.Name, &k.Size) }
