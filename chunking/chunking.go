// Package chunking cuts streams into chunks by content. Bytes that moved within
// a stream give the same chunks again, and an old chunk is not stored again.
//
// [github.com/restic/chunker] finds the cuts: a Rabin fingerprint over a window
// of 64 bytes, by the repository's secret polynomial.
package chunking

import (
	"errors"
	"fmt"
	"io"

	"github.com/restic/chunker"
)

// Sizes bounds the chunks of a stream, in bytes.
type Sizes struct {
	Min, Max int
	Bits     int // the average is Min + 1<<Bits
}

// Files are cut at fixed offsets: a media file is written once and never edited.
const (
	// Whole is the size of the smallest file that is cut. A shorter file is one
	// chunk.
	Whole = 8 << 20
	// Piece is the size of a cut file's chunks. Pieces of 512 KiB fill packs well.
	Piece = 512 << 10
)

var (
	// Rows cuts streams of rows. A changed row costs the chunk around the row: on
	// average 5 KiB, three posts.
	Rows = Sizes{Min: 1 << 10, Max: 32 << 10, Bits: 12}
	// Lines cuts the listing. New files lie all over the listing, and each new file
	// costs the chunk around the file's line: on average 1.25 KiB, four lines.
	Lines = Sizes{Min: 256, Max: 8 << 10, Bits: 10}
)

// Cutter cuts one stream.
type Cutter struct {
	chunker *chunker.Chunker
	max     int
}

// window is the chunker's window, in bytes. A smaller Min makes the chunker count
// backwards.
const window = 64

// NewCutter returns a cutter of r. The polynomial must be irreducible.
func NewCutter(r io.Reader, p chunker.Pol, s Sizes) (*Cutter, error) {
	switch {
	case !p.Irreducible():
		return nil, errors.New("cut: the polynomial is not irreducible")
	case s.Min < window || s.Max < s.Min+1<<s.Bits:
		return nil, fmt.Errorf("cut: sizes %+v are out of order", s)
	}
	c := chunker.New(r, p, chunker.WithBoundaries(uint(s.Min), uint(s.Max)), chunker.WithAverageBits(s.Bits))
	return &Cutter{c, s.Max}, nil
}

// Next returns the next chunk, in buf. The capacity of buf must be at least Max.
// After the last chunk Next returns [io.EOF].
func (c *Cutter) Next(buf []byte) ([]byte, error) {
	if cap(buf) < c.max {
		return nil, fmt.Errorf("cut: a buffer of %d bytes can't hold a chunk of %d", cap(buf), c.max)
	}
	chunk, err := c.chunker.Next(buf[:0])
	if err != nil {
		return nil, err
	}
	return chunk.Data, nil
}
