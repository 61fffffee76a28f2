// Package pack is the format of packs: many chunks in one sealed object.
//
// A pack is an age file. The payload starts with zstd frames, each of FrameSize
// decompressed bytes; the last frame may be shorter. After the frames come a
// skippable frame of zeros (padding) and a skippable frame with the table of
// contents. The decompressed bytes are the chunks, one after another:
//
//	age -d -i IDENTITY PACK | zstd -d
//
// docs/format.md specifies every byte.
package pack

import (
	"crypto/sha256"
	"errors"
)

const (
	// Size bounds a sealed pack, in bytes.
	Size = 16 << 20
	// FrameSize is the decompressed size of a zstd frame: 64 pages of a database.
	// Frames of 16 pages cost 4 % more bytes, frames of 256 pages save 3 %.
	FrameSize = 256 << 10
	// MaxPlain bounds a pack's decompressed bytes. A reader refuses more.
	MaxPlain = 128 << 20

	// paddedTo is the unit of a payload's size: the padding hides the exact size
	// of a small night.
	paddedTo = 4 << 10

	magicPadding  = 0x184D2A5E // skippable frames 0…F: 0x184D2A50 to 5F (RFC 8878, 3.1.2)
	magicContents = 0x184D2A5F
	skippableHead = 8 // magic and length, 32 bits each, little-endian
)

// Name is the SHA-256 of a pack's sealed bytes.
type Name = [sha256.Size]byte

// ErrCorrupt means that the bytes differ from the pack of the name.
var ErrCorrupt = errors.New("corrupt")
