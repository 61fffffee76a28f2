// Package manifest is the documents of a snapshot: the signed record and the
// listing. It touches no disk and no network. docs/format.md specifies them.
package manifest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Part is one of the three parts of an instance.
type Part string

// The parts, in the order of the listing. Packs of the listing carry the
// fourth name, which is no part of an instance.
const (
	Database Part = "database"
	Files    Part = "files"
	Media    Part = "media"
	Listing  Part = "listing"
)

// Parts are the parts of an instance in the order of the listing.
var Parts = []Part{Database, Files, Media}

// Hash is a SHA-256. In JSON it is unpadded standard base64, 43 characters.
type Hash [sha256.Size]byte

// Hex is the hash in lower-case hexadecimal, as in an object's name.
func (h Hash) Hex() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether the hash was never set.
func (h Hash) IsZero() bool { return h == Hash{} }

// String is the hash's first 10 hexadecimal digits: enough to recognise it.
func (h Hash) String() string { return h.Hex()[:10] }

// MarshalText writes unpadded standard base64.
func (h Hash) MarshalText() ([]byte, error) {
	return base64.RawStdEncoding.AppendEncode(nil, h[:]), nil
}

// UnmarshalText reads what MarshalText writes, and nothing else.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != base64.RawStdEncoding.EncodedLen(len(h)) {
		return fmt.Errorf("hash of %d characters, want 43", len(text))
	}
	if _, err := base64.RawStdEncoding.Strict().Decode(h[:], text); err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	return nil
}

// ParseHex reads 64 lower-case hexadecimal digits.
func ParseHex(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) || strings.ToLower(s) != s {
		return h, fmt.Errorf("%q is no SHA-256 in lower-case hexadecimal", s)
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return h, fmt.Errorf("%q is no SHA-256: %w", s, err)
	}
	return h, nil
}

// Extent is where bytes lie: Length bytes at Offset of the decompressed bytes
// of the pack numbered Pack. In JSON it is [pack, offset, length].
type Extent struct {
	Pack   uint32
	Offset int64
	Length int64
}

// Mode is permission bits. In JSON it is an octal string such as "0644".
type Mode fs.FileMode

// MarshalText writes four octal digits.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)&0o7777), nil }

// UnmarshalText reads octal digits.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 12)
	if err != nil {
		return fmt.Errorf("mode %q: %w", text, err)
	}
	*m = Mode(n)
	return nil
}

// File is one line of the listing: a named stream of bytes within a part.
type File struct {
	Part Part `json:"part"`
	// Path is relative, with slashes: the storage key of media, the absolute
	// path without its leading slash in the files part, a plain name in the
	// database part.
	Path     string    `json:"path"`
	Size     int64     `json:"size"` // bytes
	Mode     Mode      `json:"mode"`
	Modified time.Time `json:"modified,omitzero"` // absent for a stream of the database
	// User is the Unix owner as "USER:GROUP", each by name, or by number if the
	// server has no name for the number; only in the files part.
	User string `json:"owner,omitempty"`
	// ETag is that of an object in a bucket: it changes with the bytes.
	ETag string `json:"etag,omitempty"`
	// SHA256 is of the file's bytes; absent for a paged file.
	SHA256 *Hash `json:"sha256,omitempty"`
	// PageSize is set for a database of pages: its bytes are then told by the
	// map lines that follow, not by extents.
	PageSize int `json:"page_size,omitempty"`
	// Link is set for a symbolic link, which has no bytes.
	Link Link `json:"link,omitempty"`
	// Missing marks a file that should be there and could not be read.
	Missing bool `json:"missing,omitempty"`
	// Lines is how many extent lines follow, which hold the extents of a stream:
	// those of a large table would not fit into one line.
	Lines   int      `json:"lines,omitempty"`
	Extents []Extent `json:"extents,omitempty"`
}

// maxUser bounds [File.User], in bytes. Names of users and groups are far shorter.
const maxUser = 512

// ValidUser reports whether the listing can hold a file's user, "USER:GROUP":
// both names are set, printable and without a colon.
func ValidUser(user string) bool {
	name, group, ok := strings.Cut(user, ":")
	return ok && name != "" && group != "" && !strings.Contains(group, ":") &&
		len(user) <= maxUser && utf8.ValidString(user) && printable(user)
}

// ValidPath reports whether p can be a path in the listing: relative, clean,
// valid UTF-8, without control characters that would break lines apart.
func ValidPath(p string) bool {
	if !fs.ValidPath(p) || p == "." || path.Clean(p) != p || !utf8.ValidString(p) {
		return false
	}
	return !strings.ContainsAny(p, "\x00\n\r")
}
