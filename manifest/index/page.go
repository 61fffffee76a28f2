package index

import (
	"encoding/binary"
	"errors"

	"holdfast/manifest"
)

// Page is the next page of a paged file in a pack.
type Page struct {
	Number int64 // from 0, in the file
	Sum    Sum
}

// Sum is the first half of a page's SHA-256.
type Sum [16]byte

// SumOf returns the sum for a page's SHA-256.
func SumOf(h manifest.Hash) Sum { return Sum(h[:16]) }

// pages encodes the pages for the table of packs: the path, the page size, then
// for each page the gap to the page before and the sum.
func (c Contents) pages() []byte {
	if len(c.Pages) == 0 {
		return nil
	}
	out := binary.AppendUvarint(nil, uint64(len(c.Path)))
	out = append(out, c.Path...)
	out = binary.AppendUvarint(out, uint64(c.PageSize))
	last := int64(0)
	for _, p := range c.Pages {
		out = binary.AppendUvarint(out, uint64(p.Number-last))
		out = append(out, p.Sum[:]...)
		last = p.Number
	}
	return out
}

// parsePages is the reverse of Contents.pages.
func parsePages(raw []byte) (path string, pageSize int, pages []Page, err error) {
	n, k := binary.Uvarint(raw)
	if k <= 0 || uint64(len(raw)-k) < n {
		return "", 0, nil, errMalformed
	}
	path, raw = string(raw[k:k+int(n)]), raw[k+int(n):]
	n, k = binary.Uvarint(raw)
	if k <= 0 {
		return "", 0, nil, errMalformed
	}
	pageSize, raw = int(n), raw[k:]
	last := int64(0)
	for len(raw) > 0 {
		n, k = binary.Uvarint(raw)
		if k <= 0 || len(raw) < k+len(Sum{}) {
			return "", 0, nil, errMalformed
		}
		last += int64(n)
		pages = append(pages, Page{last, Sum(raw[k : k+len(Sum{})])})
		raw = raw[k+len(Sum{}):]
	}
	return path, pageSize, pages, nil
}

// errMalformed means that a row is damaged.
var errMalformed = errors.New("malformed")
