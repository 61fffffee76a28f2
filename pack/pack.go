// Package pack is the format of packs: many chunks in one sealed object.
//
// A pack is an age file. Its payload is a series of zstd frames, each of
// FrameSize decompressed bytes but the last, then a skippable frame of zeros
// (padding) and a skippable frame with the table of contents. Chunks lie one
// after another in the decompressed bytes, so that
//
//	age -d -i IDENTITY PACK | zstd -d
//
// prints them. docs/format.md specifies every byte.
package pack

import (
	"crypto/sha256"
	"errors"
)

const (
	// Size is what a sealed pack measures at most, in bytes.
	Size = 16 << 20
	// FrameSize is how many decompressed bytes share a zstd frame: 64 pages of
	// a database. 16 pages cost 4 % more, 256 pages save 3 %.
	FrameSize = 256 << 10
	// MaxPlain bounds a pack's decompressed bytes, which may be many where they
	// compress well. A reader refuses more.
	MaxPlain = 128 << 20

	// paddedTo hides a small night's exact size.
	paddedTo = 4 << 10

	magicPadding  = 0x184D2A5E // skippable frames 0…F: 0x184D2A50 to 5F (RFC 8878, 3.1.2)
	magicContents = 0x184D2A5F
	skippableHead = 8 // magic and length, 32 bits each, little-endian
)

// Name is the SHA-256 of a pack's sealed bytes.
type Name = [sha256.Size]byte

// ErrDamaged means that the bytes are not what was stored under the name.
var ErrDamaged = errors.New("damaged")
