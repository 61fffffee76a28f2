package index

import (
	"encoding/binary"
	"fmt"

	"holdfast/manifest"
)

// MapLine is a map line of the newest snapshot: see [manifest.MapLine].
type MapLine struct {
	Segment int
	Night   int64
	Packs   []uint32
	Line    []byte // line of the listing
}

// Maps returns the map lines of a segment of a paged file, from old to new.
func (x *Index) Maps(path string, segment int) ([]MapLine, error) {
	const query = `SELECT night, packs, line FROM maps WHERE path=? AND segment=? ORDER BY night`
	rows, err := x.db.Query(query, path, segment)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	defer rows.Close()
	var out []MapLine
	for rows.Next() {
		m := MapLine{Segment: segment}
		var packs []byte
		if err := rows.Scan(&m.Night, &packs, &m.Line); err != nil {
			return nil, fmt.Errorf("read index: %w", err)
		}
		m.Packs = numbers(packs)
		out = append(out, m)
	}
	return out, rows.Err()
}

// BeginMaps forgets the map lines of runs that did not commit.
func (x *Index) BeginMaps() error {
	if _, err := x.db.Exec(`DELETE FROM new_maps`); err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}

// AddMap adds a map line for the next Commit, at most one for each segment. A
// base line replaces the other lines of the segment.
func (x *Index) AddMap(path string, m *manifest.MapLine) error {
	line, err := manifest.Line{Map: m}.Append(nil)
	if err != nil {
		return err
	}
	packs := []byte{}
	for _, r := range m.Runs {
		packs = binary.LittleEndian.AppendUint32(packs, r.Pack)
	}
	_, err = x.db.Exec(`INSERT INTO new_maps VALUES (?,?,?,?,?,?)`, path, m.Segment, m.Night, m.Base, packs, line)
	if err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}
