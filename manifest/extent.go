package manifest

import (
	"encoding/json"
	"fmt"
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

// tuple reads a JSON array with exactly the given fields.
func tuple(text []byte, fields ...any) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	if len(raw) != len(fields) {
		return fmt.Errorf("%s has %d fields, want %d", text, len(raw), len(fields))
	}
	for i, f := range fields {
		if err := json.Unmarshal(raw[i], f); err != nil {
			return err
		}
	}
	return nil
}
