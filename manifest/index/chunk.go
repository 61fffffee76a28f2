package index

import (
	"cmp"
	"database/sql"
	"encoding/binary"
	"slices"

	"holdfast/manifest"
)

// Chunk is a chunk of a pack.
type Chunk struct {
	ID     manifest.Hash // SHA-256 of the chunk
	Offset int64         // in the pack's decompressed bytes
	Length int64
}

// key orders the table of chunks: the first 62 bits of the ID, then two bits for
// the part. SQLite finds numbers faster than bytes. The row holds the rest of
// the ID. A second chunk of the same key replaces the first; a backup may store
// the first chunk again.
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

// rest returns the bytes of an ID that the key does not hold in full.
func rest(id *manifest.Hash) []byte { return id[7:] }

// putChunks inserts rows in the order of the keys: SQLite then fetches each page
// of the table once.
func putChunks(tx *sql.Tx, p Pack, chunks []Chunk) error {
	insert, err := tx.Prepare(`INSERT OR REPLACE INTO chunks VALUES (?,?,?,?,?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	sorted := slices.SortedFunc(slices.Values(chunks), func(a, b Chunk) int {
		return cmp.Compare(key(p.Part, a.ID), key(p.Part, b.ID))
	})
	for i := range sorted {
		k := &sorted[i]
		if _, err := insert.Exec(key(p.Part, k.ID), rest(&k.ID), p.Number, k.Offset, k.Length); err != nil {
			return err
		}
	}
	return nil
}

// chunks encodes the chunks for the table of packs: for each chunk the ID, the
// gap after the chunk before, and the length.
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

// parseChunks is the reverse of Contents.chunks.
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

// filter has a bit for each known chunk, at a place that the key tells. On the
// first night, a filter spares the look-ups of most unknown chunks. Beyond ten
// million chunks a filter spares nothing.
type filter [1 << 18]uint64 // 2 MiB

func (f *filter) add(key int64) { f[uint64(key)>>46] |= 1 << (key >> 2 & 63) }

func (f *filter) has(key int64) bool { return f[uint64(key)>>46]&(1<<(key>>2&63)) != 0 }

// lacks reports whether the filter excludes a chunk of the key.
func (x *Index) lacks(key int64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.added != nil && !x.added.has(key)
}
