package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"holdfast/internal/strict"
)

// Extent locates bytes of a file: Length bytes at Offset of the decompressed
// bytes of pack Pack. In JSON an Extent is [pack, offset, length].
type Extent struct {
	Pack   uint32
	Offset int64
	Length int64
}

// MarshalJSON writes [pack, offset, length].
func (e Extent) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[%d,%d,%d]", e.Pack, e.Offset, e.Length), nil
}

// UnmarshalJSON reads [pack, offset, length].
func (e *Extent) UnmarshalJSON(text []byte) error { return tuple(text, &e.Pack, &e.Offset, &e.Length) }

// Extents are extents in order.
type Extents []Extent

// UnmarshalJSON reads an array of extents, and needs no memory beside the result.
func (e *Extents) UnmarshalJSON(text []byte) error {
	n := bytes.Count(text, []byte("[")) - 1
	all := make(Extents, 0, max(0, min(n, len(text)/len("[1,0,1],")+1)))
	for raw, err := range strict.Array(text) {
		var one Extent
		if err == nil {
			err = one.UnmarshalJSON(raw)
		}
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	*e = all
	return nil
}

// maxExtent bounds the offset and the length of an extent, in bytes. A line has
// at most 2^20 extents: a sum of lengths cannot overflow.
const maxExtent = 1 << 40

// sumExtents checks extents and returns the sum of the lengths.
func sumExtents(all []Extent) (size int64, err error) {
	for _, e := range all {
		if e.Offset < 0 || e.Length <= 0 || e.Offset > maxExtent || e.Length > maxExtent {
			return 0, fmt.Errorf("extent %v is not possible", e)
		}
		size += e.Length
	}
	return size, nil
}

// tuple reads a JSON array with exactly the given fields: *uint32, *int64 or *Hash.
func tuple(text []byte, fields ...any) error {
	n := 0
	for raw, err := range strict.Array(text) {
		switch {
		case err != nil:
			return err
		case n == len(fields):
			return fmt.Errorf("%.100q has more than %d fields", text, n)
		}
		if err := field(raw, fields[n]); err != nil {
			return err
		}
		n++
	}
	if n < len(fields) {
		return fmt.Errorf("%.100q has %d fields, want %d", text, n, len(fields))
	}
	return nil
}

// field reads a field of a tuple.
func field(raw []byte, to any) (err error) {
	var n uint64
	switch to := to.(type) {
	case *uint32:
		n, err = strconv.ParseUint(string(raw), 10, 32)
		*to = uint32(n)
	case *int64:
		n, err = strconv.ParseUint(string(raw), 10, 63)
		*to = int64(n)
	case *Hash:
		return json.Unmarshal(raw, to)
	}
	if err != nil {
		return fmt.Errorf("%.100q is not a number of this format", raw)
	}
	return nil
}
