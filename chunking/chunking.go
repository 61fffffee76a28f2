// Package chunking says where chunks end, so that bytes that were stored before
// are found again after the bytes around them moved.
//
// Cutting is that of [github.com/restic/chunker]: a Rabin fingerprint over a
// window of 64 bytes, by the repository's secret polynomial.
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
	// Bits sets the average: it is Min + 1<<Bits.
	Bits int
}

// Files are cut at fixed places: media is written once and never edited, so
// nothing is gained by a search for better ones.
const (
	// Whole bytes and more are cut. A shorter file is one chunk.
	Whole = 8 << 20
	// Piece is what they are cut into. Packs are filled well by it.
	Piece = 512 << 10
)

var (
	// Rows cuts streams of rows, which move. A row that changes costs the chunk
	// around it: on average 5 KiB, three posts.
	Rows = Sizes{Min: 1 << 10, Max: 32 << 10, Bits: 12}
	// Lines cuts the listing. New files fall all over it, and each costs the
	// chunk around it: on average 1.25 KiB, four lines.
	Lines = Sizes{Min: 256, Max: 8 << 10, Bits: 10}
)

// Cutter cuts one stream.
type Cutter struct {
	chunker *chunker.Chunker
	max     int
}

// window is the chunker's: a minimum below it makes it count backwards.
const window = 64

// NewCutter cuts r.
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

// Next returns the next chunk in buf, which must hold Max bytes; io.EOF at the
// end.
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
