package index

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"holdfast/manifest"
)

// Finder finds chunks of one part. Chunks come back mostly in the order of the
// last backup: after two look-ups in a row in one pack, a Finder reads all chunks
// of the pack at once. A Finder is not safe for concurrent use.
type Finder struct {
	x    *Index
	part manifest.Part
	last uint32                              // pack of the last look-up
	near []map[manifest.Hash]manifest.Extent // chunks of one pack each, the newest last
}

// maxNear bounds a Finder's memory: a pack of rows has 3,300 chunks, 300 KB.
const maxNear = 4

// Finder returns a finder for the chunks of a part.
func (x *Index) Finder(part manifest.Part) *Finder { return &Finder{x: x, part: part} }

// Find returns the extent of a chunk in a known pack.
func (f *Finder) Find(id manifest.Hash) (e manifest.Extent, ok bool, err error) {
	for _, chunks := range f.near {
		if e, ok := chunks[id]; ok && f.x.Knows(e.Pack) {
			return e, true, nil
		}
	}
	k := key(f.part, id)
	if f.x.lacks(k) {
		return e, false, nil
	}
	var more []byte
	err = f.x.find.QueryRow(k).Scan(&more, &e.Pack, &e.Offset, &e.Length)
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	if err != nil {
		return e, false, fmt.Errorf("read index: %w", err)
	}
	if !bytes.Equal(more, rest(&id)) || !f.x.Knows(e.Pack) {
		return e, false, nil
	}
	if e.Pack == f.last {
		err = f.read(e.Pack)
	}
	f.last = e.Pack
	return e, true, err
}

// read reads all chunks of a pack, and forgets the oldest pack of near.
func (f *Finder) read(pack uint32) error {
	var raw []byte
	if err := f.x.db.QueryRow(`SELECT chunks FROM packs WHERE number=?`, pack).Scan(&raw); err != nil {
		return fmt.Errorf("read index: chunks of pack %d: %w", pack, err)
	}
	chunks, err := parseChunks(raw, pack)
	if err != nil {
		return fmt.Errorf("read index: chunks of pack %d: %w", pack, err)
	}
	if len(f.near) == maxNear {
		f.near = slices.Delete(f.near, 0, 1)
	}
	f.near = append(f.near, chunks)
	return nil
}
