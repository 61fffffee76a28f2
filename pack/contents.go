package pack

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Frame is a zstd frame of a pack, from the table of contents.
type Frame struct {
	Offset int64 // in the pack's payload
	Length int64 // compressed bytes
}

// Contents reads the table of contents of a pack, for readers of a few bytes of
// a large pack. The byte at plaintext offset o lies in frame o / FrameSize. tail
// is the end of the payload, or the whole payload; tail must include the whole
// table. plain is the number of decompressed bytes. A bad table is [ErrCorrupt].
func Contents(tail []byte) (frames []Frame, plain int64, err error) {
	bad := func(what string) ([]Frame, int64, error) {
		return nil, 0, fmt.Errorf("read table of contents: %s: %w", what, ErrCorrupt)
	}
	if len(tail) < skippableHead+4 {
		return bad("too short")
	}
	n := binary.LittleEndian.Uint32(tail[len(tail)-4:])
	if n < skippableHead+4 || int64(n) > int64(len(tail)) {
		return bad("wrong length")
	}
	table := tail[len(tail)-int(n):]
	if binary.LittleEndian.Uint32(table) != magicContents || binary.LittleEndian.Uint32(table[4:]) != n-skippableHead {
		return bad("wrong place")
	}
	table = table[skippableHead : len(table)-4]
	if len(table) < 5 || string(table[:4]) != "HFPK" {
		return bad("wrong magic")
	}
	if table[4] != 1 {
		return nil, 0, fmt.Errorf("read table of contents: version %d, this program knows 1", table[4])
	}
	table = table[5:]
	var fields [3]uint64
	for i := range fields {
		if fields[i], table, err = uvarint(table); err != nil {
			return bad("cut off")
		}
	}
	size, total, count := fields[0], fields[1], fields[2]
	if size != FrameSize || total > MaxPlain || count != (total+FrameSize-1)/FrameSize {
		return bad("contradictory numbers")
	}
	var at int64
	for range count {
		var length uint64
		if length, table, err = uvarint(table); err != nil || length > 2*FrameSize {
			return bad("cut off")
		}
		frames = append(frames, Frame{at, int64(length)})
		at += int64(length)
	}
	if len(table) != 0 {
		return bad("bytes are left over")
	}
	return frames, int64(total), nil
}

// uvarint reads a varint and returns the bytes after the varint.
func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return v, b[n:], nil
}
