package index

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/manifest"
)

// Memory is the index's knowledge of the end of the log.
type Memory struct {
	Head      manifest.Hash   // see [Index.Head]
	Text      []byte          // the head's record
	LostHeads []manifest.Hash // see [Index.LostHeads]
}

// ReadMemory reads the memory of the index in dir, even while a backup uses the
// index, and changes nothing. Without a usable index the memory is zero.
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
	err = db.QueryRow(`PRAGMA user_version`).Scan(&have)
	if useless(err) || err == nil && have != version && have != 2 {
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
	if m.LostHeads, err = x.LostHeads(); err != nil {
		return Memory{}, err
	}
	return m, nil
}

// Head returns the newest record that this host wrote or continued; zero before
// the first record. A remote without the head lost records.
func (x *Index) Head() (head manifest.Hash, err error) {
	text, err := x.fact("head")
	copy(head[:], text)
	return head, err
}

// LostHeads returns former heads that the remote lacked in an earlier run.
func (x *Index) LostHeads() (lost []manifest.Hash, err error) {
	text, err := x.fact("gone")
	for len(text) >= len(manifest.Hash{}) {
		lost = append(lost, manifest.Hash(text[:len(manifest.Hash{})]))
		text = text[len(manifest.Hash{}):]
	}
	return lost, err
}

// SetLostHeads replaces the list of [Index.LostHeads].
func (x *Index) SetLostHeads(lost []manifest.Hash) error {
	text := []byte{}
	for _, name := range lost {
		text = append(text, name[:]...)
	}
	if _, err := x.db.Exec(`INSERT OR REPLACE INTO facts VALUES ('gone',?)`, text); err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}

// Record returns the bytes of a record, or nil if the index lacks the record.
func (x *Index) Record(name manifest.Hash) (text []byte, err error) {
	err = x.db.QueryRow(`SELECT text FROM records WHERE name=?`, name[:]).Scan(&text)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read index: %w", err)
	}
	return text, nil
}

// PutRecord adds a record's bytes.
func (x *Index) PutRecord(name manifest.Hash, text []byte) error {
	if _, err := x.db.Exec(`INSERT OR REPLACE INTO records VALUES (?,?)`, name[:], text); err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}
