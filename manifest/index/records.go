package index

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/manifest"
)

// Record returns the bytes of a record that was seen, or nil.
func (x *Index) Record(name manifest.Hash) (text []byte, err error) {
	err = x.db.QueryRow(`SELECT text FROM records WHERE name=?`, name[:]).Scan(&text)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read index: %w", err)
	}
	return text, nil
}

// PutRecord remembers a record's bytes.
func (x *Index) PutRecord(name manifest.Hash, text []byte) error {
	if _, err := x.db.Exec(`INSERT OR REPLACE INTO records VALUES (?,?)`, name[:], text); err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}

// Head is the newest record that this host wrote or built upon; zero before
// the first. A remote that lacks it has lost its end.
func (x *Index) Head() (head manifest.Hash, err error) {
	text, err := x.fact("head")
	copy(head[:], text)
	return head, err
}

// Gone are the records that were heads of this host, and that the remote lacks
// since an earlier run.
func (x *Index) Gone() (gone []manifest.Hash, err error) {
	text, err := x.fact("gone")
	for len(text) >= len(manifest.Hash{}) {
		gone = append(gone, manifest.Hash(text[:len(manifest.Hash{})]))
		text = text[len(manifest.Hash{}):]
	}
	return gone, err
}

// SetGone replaces them.
func (x *Index) SetGone(gone []manifest.Hash) error {
	text := []byte{}
	for _, name := range gone {
		text = append(text, name[:]...)
	}
	if _, err := x.db.Exec(`INSERT OR REPLACE INTO facts VALUES ('gone',?)`, text); err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}

// Memory is what an index knows of the end of the log.
type Memory struct {
	Head manifest.Hash   // as [Index.Head] has it
	Text []byte          // of the head's record
	Gone []manifest.Hash // as [Index.Gone] has it
}

// ReadMemory reads the memory of the index in dir, and changes nothing: a backup
// may be using it. Where there is no index that can be used, it is zero.
func ReadMemory(dir string) (m Memory, err error) {
	path := filepath.Join(dir, "index.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	db, err := sql.Open("sqlite", "file:"+escape(path)+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return m, fmt.Errorf("read index: %w", err)
	}
	defer db.Close()
	var have int
	if err := db.QueryRow(`PRAGMA user_version`).Scan(&have); useless(err) || err == nil && have != version {
		return m, nil
	} else if err != nil {
		return m, fmt.Errorf("read index: %w", err)
	}
	x := &Index{dir: dir, db: db}
	if m.Head, err = x.Head(); err != nil {
		return Memory{}, err
	}
	if m.Text, err = x.Record(m.Head); err != nil {
		return Memory{}, err
	}
	if m.Gone, err = x.Gone(); err != nil {
		return Memory{}, err
	}
	return m, nil
}

func (x *Index) fact(key string) (value []byte, err error) {
	err = x.db.QueryRow(`SELECT value FROM facts WHERE key=?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	return value, nil
}

// MapLine is a stored map line of the newest snapshot.
type MapLine struct {
	Segment int
	Night   int64
	Packs   []uint32
	Line    []byte
}

// Maps returns the map lines of one segment of a paged file, old before new.
func (x *Index) Maps(path string, segment int) ([]MapLine, error) {
	rows, err := x.db.Query(`SELECT night, packs, line FROM maps WHERE path=? AND segment=? ORDER BY night`, path, segment)
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

// Snapshot is what changes in the index when a record was acknowledged.
type Snapshot struct {
	Name   manifest.Hash
	Text   []byte
	Packs  []uint32          // that the record names
	Trails map[string]string // of paged files: path to the new trail's file, made by CreateTrail
}

// BeginMaps forgets the map lines that a run noted and did not commit.
func (x *Index) BeginMaps() error {
	if _, err := x.db.Exec(`DELETE FROM new_maps`); err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}

// AddMap notes a map line for the next Commit: a base line replaces its
// segment's others. There is one for each segment of a file.
func (x *Index) AddMap(path string, m *manifest.MapLine) error {
	line, err := manifest.Line{Map: m}.Append(nil)
	if err != nil {
		return err
	}
	packs := []byte{}
	for _, r := range m.Runs {
		packs = binary.LittleEndian.AppendUint32(packs, r.Pack)
	}
	if _, err := x.db.Exec(`INSERT INTO new_maps VALUES (?,?,?,?,?,?)`, path, m.Segment, m.Night, m.Base, packs, line); err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}

// Commit moves the index on to a snapshot, all of it or nothing.
func (x *Index) Commit(s Snapshot) error {
	err := x.change(func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT OR REPLACE INTO records VALUES (?,?)`, s.Name[:], s.Text); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT OR REPLACE INTO facts VALUES ('head',?)`, s.Name[:]); err != nil {
			return err
		}
		for path, trail := range s.Trails {
			if _, err := tx.Exec(`INSERT OR REPLACE INTO facts VALUES ('trail '||?,?)`, path, filepath.Base(trail)); err != nil {
				return err
			}
		}
		for _, step := range []string{
			`DELETE FROM maps WHERE EXISTS (SELECT 1 FROM new_maps n WHERE n.base AND n.path=maps.path AND n.segment=maps.segment)`,
			`INSERT OR REPLACE INTO maps SELECT path, segment, night, packs, line FROM new_maps`,
			`DELETE FROM new_maps`,
		} {
			if _, err := tx.Exec(step); err != nil {
				return err
			}
		}
		for _, n := range s.Packs {
			if _, err := tx.Exec(`UPDATE packs SET state=? WHERE number=? AND state<>?`, Committed, n, Committed); err != nil {
				return err
			}
		}
		// The trail is newer than what any pack's pages say.
		_, err := tx.Exec(`UPDATE packs SET pages=NULL WHERE pages IS NOT NULL`)
		return err
	})
	if err != nil {
		return err
	}
	return x.sweepTrails()
}

// sweepTrails removes trail files that no snapshot stands for.
func (x *Index) sweepTrails() error {
	entries, err := os.ReadDir(filepath.Join(x.dir, "trail"))
	if err != nil {
		return fmt.Errorf("sweep trails: %w", err)
	}
	for _, e := range entries {
		var n int
		if err := x.db.QueryRow(`SELECT count(*) FROM facts WHERE key LIKE 'trail %' AND value=?`, e.Name()).Scan(&n); err != nil {
			return fmt.Errorf("sweep trails: %w", err)
		}
		if n == 0 {
			if err := os.Remove(filepath.Join(x.dir, "trail", e.Name())); err != nil {
				return fmt.Errorf("sweep trails: %w", err)
			}
		}
	}
	return nil
}
