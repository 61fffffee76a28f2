package index

import (
	"database/sql"
	"path/filepath"

	"holdfast/manifest"
)

// Snapshot is a record that the remote holds, for [Index.Commit].
type Snapshot struct {
	Name   manifest.Hash
	Text   []byte            // the record
	Packs  []uint32          // packs in the record
	Trails map[string]string // paths of paged files to files of [Index.CreateTrail]
}

// Commit makes a snapshot the newest snapshot of the index, in one transaction.
func (x *Index) Commit(s Snapshot) error {
	err := x.change(func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT OR REPLACE INTO records VALUES (?,?)`, s.Name[:], s.Text); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT OR REPLACE INTO facts VALUES ('head',?)`, s.Name[:]); err != nil {
			return err
		}
		for path, trail := range s.Trails {
			_, err := tx.Exec(`INSERT OR REPLACE INTO facts VALUES ('trail '||?,?)`, path, filepath.Base(trail))
			if err != nil {
				return err
			}
		}
		for _, step := range []string{
			`DELETE FROM maps WHERE EXISTS (
				SELECT 1 FROM new_maps n WHERE n.base AND n.path=maps.path AND n.segment=maps.segment)`,
			`INSERT OR REPLACE INTO maps SELECT path, segment, night, packs, line FROM new_maps`,
			`DELETE FROM new_maps`,
		} {
			if _, err := tx.Exec(step); err != nil {
				return err
			}
		}
		for _, n := range s.Packs {
			_, err := tx.Exec(`UPDATE packs SET state=? WHERE number=? AND state<>?`, Committed, n, Committed)
			if err != nil {
				return err
			}
		}
		// The trail is newer than the pages of any pack.
		_, err := tx.Exec(`UPDATE packs SET pages=NULL WHERE pages IS NOT NULL`)
		return err
	})
	if err != nil {
		return err
	}
	return x.sweepTrails()
}
