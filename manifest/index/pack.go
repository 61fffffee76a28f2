package index

import (
	"database/sql"
	"encoding/binary"
	"fmt"

	"holdfast/manifest"
)

// Pack is a pack in the index.
type Pack struct {
	manifest.Pack
	Part  manifest.Part
	State State
}

// State is a pack's progress.
type State int

const (
	Pending   State = iota // sealed, and perhaps in the remote
	Stored                 // in the remote, and not in a record yet
	Committed              // in a record of this host
)

// Packs returns all packs, by number.
func (x *Index) Packs() ([]Pack, error) {
	rows, err := x.db.Query(`SELECT number, part, name, size, state FROM packs ORDER BY number`)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	defer rows.Close()
	var packs []Pack
	for rows.Next() {
		var p Pack
		var name []byte
		if err := rows.Scan(&p.Number, &p.Part, &name, &p.Size, &p.State); err != nil {
			return nil, fmt.Errorf("read index: %w", err)
		}
		copy(p.Name[:], name)
		packs = append(packs, p)
	}
	return packs, rows.Err()
}

// NextPack returns a pack number above atLeast that the host never used before.
func (x *Index) NextPack(atLeast uint32) (uint32, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.next = max(x.next, atLeast) + 1
	// A stale row must never point into another pack with the same number.
	_, err := x.db.Exec(`INSERT OR REPLACE INTO facts VALUES ('next pack', ?)`, x.next)
	if err != nil {
		return 0, fmt.Errorf("write index: %w", meaning(err))
	}
	return x.next, nil
}

// Knows reports whether a pack is in the index. Only a known pack may hold bytes
// of a new snapshot.
func (x *Index) Knows(number uint32) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.known[number]
}

// knowsAll reports whether every pack is known.
func (x *Index) knowsAll(packs []uint32) bool {
	for _, n := range packs {
		if !x.Knows(n) {
			return false
		}
	}
	return true
}

// numbers parses the pack numbers of a row.
func numbers(packs []byte) []uint32 {
	out := make([]uint32, len(packs)/4)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(packs[4*i:])
	}
	return out
}

// Contents is the content of a sealed pack.
type Contents struct {
	Chunks []Chunk
	// Path names the paged file of Pages, if any. The pages start at the pack's
	// first byte and are in rising order.
	Path     string
	PageSize int
	Pages    []Page
	Files    []manifest.File // files that the pack completes
}

// AddPack adds a pack. Callers add a pack before they put the pack: a run that
// dies after the put must find the pack again.
func (x *Index) AddPack(p Pack, c Contents) error {
	err := x.change(func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO packs VALUES (?,?,?,?,?,?,?)`,
			p.Number, p.Part, p.Name[:], p.Size, p.State, c.pages(), c.chunks())
		if err != nil {
			return err
		}
		if err := putChunks(tx, p, c.Chunks); err != nil {
			return err
		}
		return putFiles(tx, c.Files)
	})
	if err == nil {
		x.mu.Lock()
		x.known[p.Number] = true
		if x.added != nil {
			for _, k := range c.Chunks {
				x.added.add(key(p.Part, k.ID))
			}
		}
		x.mu.Unlock()
	}
	return err
}

// SetState sets a pack's state.
func (x *Index) SetState(number uint32, s State) error {
	_, err := x.db.Exec(`UPDATE packs SET state=? WHERE number=?`, s, number)
	if err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}

// Drop removes packs that the remote lacks. Chunks, files and pages in the packs
// become unknown.
func (x *Index) Drop(numbers []uint32) error {
	if len(numbers) == 0 {
		return nil
	}
	x.mu.Lock()
	for _, n := range numbers {
		delete(x.known, n)
	}
	x.mu.Unlock()
	return x.change(func(tx *sql.Tx) error {
		for _, n := range numbers {
			if _, err := tx.Exec(`DELETE FROM packs WHERE number=?`, n); err != nil {
				return err
			}
		}
		_, err := tx.Exec(`DELETE FROM chunks WHERE pack NOT IN (SELECT number FROM packs)`)
		return err
	})
}
