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

// UnmarshalJSON reads [pack, offset, length]. A record has up to two million
// extents: therefore UnmarshalJSON allocates nothing.
func (e *Extent) UnmarshalJSON(text []byte) error {
	inner, ok := bytes.CutPrefix(text, []byte("["))
	inner, ok2 := bytes.CutSuffix(inner, []byte("]"))
	pack, rest, ok3 := bytes.Cut(inner, []byte(","))
	offset, length, ok4 := bytes.Cut(rest, []byte(","))
	if !ok || !ok2 || !ok3 || !ok4 {
		return fmt.Errorf("%.100q is not an extent", text)
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(pack)), 10, 32)
	at, err2 := strconv.ParseUint(string(bytes.TrimSpace(offset)), 10, 63)
	size, err3 := strconv.ParseUint(string(bytes.TrimSpace(length)), 10, 63)
	if err != nil || err2 != nil || err3 != nil {
		return fmt.Errorf("%.100q is not an extent", text)
	}
	*e = Extent{uint32(n), int64(at), int64(size)}
	return nil
}

// Extents are extents in order.
type Extents []Extent

// UnmarshalJSON reads an array of extents, and needs no memory beside the result.
func (e *Extents) UnmarshalJSON(text []byte) (err error) {
	n := min(bytes.Count(text, []byte("["))-1, len(text)/len("[1,0,1],")+1)
	*e, err = array(text, n, (*Extent).UnmarshalJSON)
	return err
}

// array reads a JSON array of about n values.
func array[T any](text []byte, n int, read func(*T, []byte) error) ([]T, error) {
	all := make([]T, 0, max(0, n))
	var zero T
	for raw, err := range strict.Array(text) {
		if err != nil {
			return nil, err
		}
		all = append(all, zero)
		if err := read(&all[len(all)-1], raw); err != nil {
			return nil, err
		}
	}
	return all, nil
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
