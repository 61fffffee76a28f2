package index

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"holdfast/manifest"
)

// Plan is what a restore has to do, as an SQLite file in its staging folder:
// which bytes of which pack belong where, and which packs are done. It lets a
// restore of any size run in little memory, and go on where it was stopped.
type Plan struct{ db *sql.DB }

// planVersion changes whenever the plan's schema does.
const planVersion = 3

const planSchema = `
CREATE TABLE files (
	id INTEGER PRIMARY KEY, part TEXT NOT NULL, place TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
	mode INTEGER NOT NULL, modified INTEGER NOT NULL, link TEXT NOT NULL, pieces INTEGER NOT NULL);
CREATE TABLE pieces (
	pack INTEGER NOT NULL, offset INTEGER NOT NULL, file INTEGER NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL,
	PRIMARY KEY (pack, offset, file, at)) WITHOUT ROWID;
CREATE TABLE packs (number INTEGER PRIMARY KEY, done INTEGER NOT NULL);
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`

// OpenPlan opens or makes the plan in dir. One of another version, or that was cut
// off while it was made, is made anew: what was fetched is fetched again.
func OpenPlan(dir string) (*Plan, error) {
	path := filepath.Join(dir, "plan.db")
	db, err := openPlan(path)
	if err != nil {
		return nil, err
	}
	var have int
	if err := db.QueryRow(`PRAGMA user_version`).Scan(&have); err == nil && have == planVersion {
		return &Plan{db}, nil
	} else if err == nil {
		db.Close()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("remove plan: %w", err)
			}
		}
		if db, err = openPlan(path); err != nil {
			return nil, err
		}
	}
	if _, err := db.Exec(planSchema + fmt.Sprintf("PRAGMA user_version=%d", planVersion)); err != nil {
		db.Close()
		return nil, fmt.Errorf("make plan: %w", meaning(err))
	}
	return &Plan{db}, nil
}

func openPlan(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+escape(path)+"?_txlock=immediate&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(NORMAL)&_pragma=cache_size(-2048)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, fmt.Errorf("open plan: %w", err)
	}
	return db, nil
}

// Close closes the plan.
func (p *Plan) Close() error { return p.db.Close() }

// Fact returns what SetFact stored, or "".
func (p *Plan) Fact(key string) (value string, err error) {
	err = p.db.QueryRow(`SELECT value FROM facts WHERE key=?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// SetFact stores a value, durably.
func (p *Plan) SetFact(key, value string) error {
	_, err := p.db.Exec(`INSERT OR REPLACE INTO facts VALUES (?,?)`, key, value)
	return meaning(err)
}

// Planned is a file of the plan.
type Planned struct {
	Part     manifest.Part
	Place    string // in the staging folder
	Size     int64
	Mode     manifest.Mode
	Modified time.Time
	Link     manifest.Link
	Pieces   int
}

// Piece is bytes of a pack and where they belong.
type Piece struct {
	Offset int64 // in the pack's decompressed bytes
	Length int64
	File   int64
	At     int64 // in the file
}

// Planner writes a plan in one transaction.
type Planner struct {
	tx                 *sql.Tx
	file, piece, total *sql.Stmt
}

// Begin empties the plan and starts to write it anew.
func (p *Plan) Begin() (*Planner, error) {
	tx, err := p.db.Begin()
	if err != nil {
		return nil, err
	}
	w := &Planner{tx: tx}
	_, err = tx.Exec(`DELETE FROM files; DELETE FROM pieces; DELETE FROM packs; DELETE FROM facts`)
	for stmt, text := range map[**sql.Stmt]string{
		&w.file:  `INSERT INTO files (part, place, size, mode, modified, link, pieces) VALUES (?,?,?,?,?,?,0)`,
		&w.piece: `INSERT INTO pieces VALUES (?,?,?,?,?)`,
		&w.total: `UPDATE files SET pieces=? WHERE id=?`,
	} {
		if err == nil {
			*stmt, err = tx.Prepare(text)
		}
	}
	if err != nil {
		return nil, errors.Join(meaning(err), tx.Rollback())
	}
	return w, nil
}

// File adds a file, which has no pieces yet, and returns its number. Two files at
// one place are an error.
func (w *Planner) File(f Planned) (int64, error) {
	res, err := w.file.Exec(f.Part, f.Place, f.Size, uint32(f.Mode), f.Modified.UnixNano(), f.Link)
	if err != nil {
		return 0, fmt.Errorf("plan %q: %w", f.Place, meaning(err))
	}
	return res.LastInsertId()
}

// Piece adds bytes of a file.
func (w *Planner) Piece(pack uint32, p Piece) error {
	_, err := w.piece.Exec(pack, p.Offset, p.File, p.At, p.Length)
	return meaning(err)
}

// Pieces says how many pieces a file has.
func (w *Planner) Pieces(file int64, n int) error {
	_, err := w.total.Exec(n, file)
	return meaning(err)
}

// Commit ends the plan; facts are stored with it.
func (w *Planner) Commit(facts map[string]string) error {
	_, err := w.tx.Exec(`INSERT INTO packs SELECT DISTINCT pack, 0 FROM pieces`)
	for key, value := range facts {
		if err == nil {
			_, err = w.tx.Exec(`INSERT OR REPLACE INTO facts VALUES (?,?)`, key, value)
		}
	}
	if err != nil {
		return errors.Join(meaning(err), w.tx.Rollback())
	}
	return meaning(w.tx.Commit())
}

// Rollback gives up. SQLite itself may have done so before: where a disk was
// full.
func (w *Planner) Rollback() error {
	w.tx.Rollback()
	return nil
}

// Packs lists the packs that are still to be fetched, in order.
func (p *Plan) Packs() (todo []uint32, err error) {
	rows, err := p.db.Query(`SELECT number FROM packs WHERE done=0 ORDER BY number`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n uint32
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		todo = append(todo, n)
	}
	return todo, rows.Err()
}

// Done marks packs whose bytes are all in place.
func (p *Plan) Done(packs []uint32) error {
	tx, err := p.db.Begin()
	if err != nil {
		return err
	}
	for _, n := range packs {
		if _, err := tx.Exec(`UPDATE packs SET done=1 WHERE number=?`, n); err != nil {
			return errors.Join(meaning(err), tx.Rollback())
		}
	}
	return meaning(tx.Commit())
}

// Undo marks every pack as not fetched.
func (p *Plan) Undo() error {
	_, err := p.db.Exec(`UPDATE packs SET done=0`)
	return err
}

// UndoHurtBy marks as not fetched every pack that a file needs which needs this
// one: such files are to be put together anew.
func (p *Plan) UndoHurtBy(pack uint32) error {
	_, err := p.db.Exec(`UPDATE packs SET done=0 WHERE number IN (SELECT pack FROM pieces WHERE file IN (SELECT file FROM pieces WHERE pack=?))`, pack)
	return meaning(err)
}

// UndoPart marks the packs of a part as not fetched, and returns the places of
// its files.
func (p *Plan) UndoPart(part manifest.Part) (places []string, err error) {
	if _, err := p.db.Exec(`UPDATE packs SET done=0 WHERE number IN (SELECT p.pack FROM pieces p JOIN files f ON f.id=p.file WHERE f.part=?)`, part); err != nil {
		return nil, err
	}
	rows, err := p.db.Query(`SELECT place FROM files WHERE part=?`, part)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var place string
		if err := rows.Scan(&place); err != nil {
			return nil, err
		}
		places = append(places, place)
	}
	return places, rows.Err()
}

// Pieces returns the pieces of one pack by offset, and the files they belong to.
func (p *Plan) Pieces(pack uint32) (pieces []Piece, files map[int64]Planned, err error) {
	rows, err := p.db.Query(`SELECT p.offset, p.length, p.file, p.at, f.part, f.place, f.size, f.mode, f.modified, f.pieces
		FROM pieces p JOIN files f ON f.id=p.file WHERE p.pack=? ORDER BY p.offset`, pack)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	files = map[int64]Planned{}
	for rows.Next() {
		var c Piece
		var f Planned
		var mode uint32
		var modified int64
		if err := rows.Scan(&c.Offset, &c.Length, &c.File, &c.At, &f.Part, &f.Place, &f.Size, &mode, &modified, &f.Pieces); err != nil {
			return nil, nil, err
		}
		f.Mode, f.Modified = manifest.Mode(mode), time.Unix(0, modified)
		pieces, files[c.File] = append(pieces, c), f
	}
	return pieces, files, rows.Err()
}

// Loose yields the files that are not finished by a single piece: empty ones,
// those put together of several, and at last symbolic links.
func (p *Plan) Loose() iter.Seq2[Planned, error] {
	return func(yield func(Planned, error) bool) {
		rows, err := p.db.Query(`SELECT part, place, size, mode, modified, link, pieces FROM files WHERE pieces<>1 ORDER BY link<>''`)
		if err != nil {
			yield(Planned{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var f Planned
			var mode uint32
			var modified int64
			err := rows.Scan(&f.Part, &f.Place, &f.Size, &mode, &modified, &f.Link, &f.Pieces)
			f.Mode, f.Modified = manifest.Mode(mode), time.Unix(0, modified)
			if !yield(f, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Planned{}, err)
		}
	}
}

// Sum returns how many files the plan has, and their bytes.
func (p *Plan) Sum() (files, bytes int64, err error) {
	err = p.db.QueryRow(`SELECT count(*), coalesce(sum(size),0) FROM files`).Scan(&files, &bytes)
	return files, bytes, err
}

// HurtBy returns the files that need a pack, by place, and their sizes.
func (p *Plan) HurtBy(pack uint32) (sizes map[string]int64, err error) {
	rows, err := p.db.Query(`SELECT DISTINCT f.place, f.size FROM pieces p JOIN files f ON f.id=p.file WHERE p.pack=?`, pack)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	sizes = map[string]int64{}
	for rows.Next() {
		var place string
		var size int64
		if err := rows.Scan(&place, &size); err != nil {
			return nil, err
		}
		sizes[place] = size
	}
	return sizes, rows.Err()
}
