package index

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"holdfast/manifest"
)

// Chunk says where a chunk of a pack lies.
type Chunk struct {
	ID     manifest.Hash
	Offset int64
	Length int64
}

// key is what the table of chunks is ordered by: the first 62 bits of the ID,
// then two for the part. Numbers are found faster than bytes. The row has the
// rest of the ID; of two chunks with one key, the older is forgotten, and stored
// again if it comes again.
func key(part manifest.Part, id manifest.Hash) int64 {
	bits := int64(0)
	switch part {
	case manifest.Media:
		bits = 1
	case manifest.Files:
		bits = 2
	case manifest.Listing:
		bits = 3
	}
	return int64(binary.BigEndian.Uint64(id[:]))&^3 | bits
}

// rest is what the row has of an ID: from the byte on that the key spoilt.
func rest(id *manifest.Hash) []byte { return id[7:] }

func putChunks(tx *sql.Tx, p Pack, chunks []Chunk) error {
	insert, err := tx.Prepare(`INSERT OR REPLACE INTO chunks VALUES (?,?,?,?,?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	// In the order of the keys each page of the table is fetched once.
	sorted := slices.SortedFunc(slices.Values(chunks), func(a, b Chunk) int { return cmp.Compare(key(p.Part, a.ID), key(p.Part, b.ID)) })
	for i := range sorted {
		k := &sorted[i]
		if _, err := insert.Exec(key(p.Part, k.ID), rest(&k.ID), p.Number, k.Offset, k.Length); err != nil {
			return err
		}
	}
	return nil
}

// chunks is the form of the row in packs: of each chunk its ID, the gap since
// the one before, and its length.
func (c Contents) chunks() []byte {
	var out []byte
	end := int64(0)
	for _, k := range c.Chunks {
		out = append(out, k.ID[:]...)
		out = binary.AppendUvarint(out, uint64(k.Offset-end))
		out = binary.AppendUvarint(out, uint64(k.Length))
		end = k.Offset + k.Length
	}
	return out
}

// filter spares an index that began empty, as on the first night, the look-ups
// of most chunks that it doesn't have: a bit for each hash. It is worth less the
// more there are, and nothing beyond ten million chunks.
type filter [1 << 18]uint64 // 2 MiB

func (f *filter) add(key int64) { f[uint64(key)>>46] |= 1 << (key >> 2 & 63) }

func (f *filter) has(key int64) bool { return f[uint64(key)>>46]&(1<<(key>>2&63)) != 0 }

// Finder finds chunks of one part. Those that were stored one after another are
// mostly looked for one after another again: where two in a row lie in one pack,
// all of that pack are read at once, which spares their own look-ups. It is for
// one goroutine.
type Finder struct {
	x    *Index
	part manifest.Part
	last uint32                              // pack of the last that was looked up
	near []map[manifest.Hash]manifest.Extent // each of one pack, the newest last
}

// maxNear bounds a Finder's memory: a pack of rows has 3,300 chunks, 300 KB.
const maxNear = 4

// Finder returns one for the chunks of a part.
func (x *Index) Finder(part manifest.Part) *Finder { return &Finder{x: x, part: part} }

// Find says where a chunk lies.
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

// read reads all chunks of a pack, and forgets the oldest of those read before.
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

func parseChunks(raw []byte, pack uint32) (map[manifest.Hash]manifest.Extent, error) {
	const least = len(manifest.Hash{}) + 2
	chunks := make(map[manifest.Hash]manifest.Extent, len(raw)/(least+1))
	end := int64(0)
	for len(raw) > 0 {
		if len(raw) < least {
			return nil, errMalformed
		}
		id := manifest.Hash(raw)
		raw = raw[len(id):]
		gap, n := binary.Uvarint(raw)
		length, m := binary.Uvarint(raw[max(n, 0):])
		if n <= 0 || m <= 0 {
			return nil, errMalformed
		}
		raw = raw[n+m:]
		chunks[id] = manifest.Extent{Pack: pack, Offset: end + int64(gap), Length: int64(length)}
		end += int64(gap) + int64(length)
	}
	return chunks, nil
}
