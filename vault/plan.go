package vault

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/manifest"
	"holdfast/manifest/index"
)

// plan is the work of a restore, as an SQLite file in the staging folder: the
// files, the extents of each pack, the packs that are done, and the journal.
// With a plan, a restore of any size needs little memory, and continues after
// an interruption.
type plan struct{ db *sql.DB }

// planVersion changes whenever the plan's schema does.
const planVersion = 6

const planSchema = `
CREATE TABLE files (
	id INTEGER PRIMARY KEY, part TEXT NOT NULL, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
	mode INTEGER NOT NULL, modified INTEGER NOT NULL, link TEXT NOT NULL, folder INTEGER NOT NULL, sum BLOB,
	single INTEGER NOT NULL);
CREATE TABLE pieces (
	pack INTEGER NOT NULL, offset INTEGER NOT NULL, file INTEGER NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL,
	PRIMARY KEY (pack, offset, file, at)) WITHOUT ROWID;
CREATE TABLE packs (number INTEGER PRIMARY KEY, done INTEGER NOT NULL);
CREATE TABLE journal (one INTEGER PRIMARY KEY CHECK (one=1), text TEXT NOT NULL);
`

// openPlan opens or makes the plan in dir. openPlan replaces a plan of another
// version, and an incomplete plan, by an empty plan.
func openPlan(dir string) (*plan, error) {
	path := filepath.Join(dir, "plan.db")
	db, err := index.OpenSQLite(path, "&_pragma=cache_size(-2048)")
	if err != nil {
		return nil, fmt.Errorf("open plan: %w", err)
	}
	var have int
	if err := db.QueryRow(`PRAGMA user_version`).Scan(&have); err == nil && have == planVersion {
		return &plan{db}, nil
	} else if err == nil {
		db.Close()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("remove plan: %w", err)
			}
		}
		if db, err = index.OpenSQLite(path, "&_pragma=cache_size(-2048)"); err != nil {
			return nil, fmt.Errorf("open plan: %w", err)
		}
	}
	if _, err := db.Exec(planSchema + fmt.Sprintf("PRAGMA user_version=%d", planVersion)); err != nil {
		db.Close()
		return nil, fmt.Errorf("make plan: %w", index.Meaning(err))
	}
	return &plan{db}, nil
}

func (p *plan) close() error { return p.db.Close() }

// journal returns the journal of the last save. Before the first save, the
// journal is zero.
func (p *plan) journal() (j journal, err error) {
	var text string
	err = p.db.QueryRow(`SELECT text FROM journal`).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return j, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &j)
	}
	if err != nil {
		return j, fmt.Errorf("read plan: %w", err)
	}
	return j, nil
}

// save stores the journal durably.
func (p *plan) save(j journal) error {
	if err := saveJournal(p.db, j); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// executor is a database or a transaction.
type executor interface {
	Exec(query string, args ...any) (sql.Result, error)
}

func saveJournal(to executor, j journal) error {
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	_, err = to.Exec(`INSERT OR REPLACE INTO journal VALUES (1,?)`, string(text))
	return index.Meaning(err)
}

// plannedFile is a file of the plan.
type plannedFile struct {
	part     manifest.Part
	path     string // in the staging folder
	size     int64
	mode     manifest.Mode
	modified time.Time
	link     manifest.Link
	folder   bool
	sum      []byte // SHA-256 of the bytes; nil for links, folders and files of pages
	single   bool   // one piece holds all bytes: the worker that writes it completes the file
}

// piece is a run of bytes of a pack, and the place of the bytes in a file.
type piece struct {
	offset int64 // in the pack's decompressed bytes
	length int64
	file   int64
	at     int64 // in the file
}

// planWriter writes a plan in one transaction.
type planWriter struct {
	tx                  *sql.Tx
	file, piece, single *sql.Stmt
}

// begin empties the plan and starts to write it anew.
func (p *plan) begin() (*planWriter, error) {
	tx, err := p.db.Begin()
	if err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	w := &planWriter{tx: tx}
	_, err = tx.Exec(`DELETE FROM files; DELETE FROM pieces; DELETE FROM packs; DELETE FROM journal`)
	for stmt, text := range map[**sql.Stmt]string{
		&w.file: `INSERT INTO files (part, path, size, mode, modified, link, folder, sum, single)
			VALUES (?,?,?,?,?,?,?,?,0)`,
		&w.piece:  `INSERT INTO pieces VALUES (?,?,?,?,?)`,
		&w.single: `UPDATE files SET single=1 WHERE id=?`,
	} {
		if err == nil {
			*stmt, err = tx.Prepare(text)
		}
	}
	if err != nil {
		w.rollback()
		return nil, fmt.Errorf("write plan: %w", index.Meaning(err))
	}
	return w, nil
}

// addFile adds a file without pieces and returns its number. A second file with
// the same path is an error.
func (w *planWriter) addFile(f plannedFile) (int64, error) {
	res, err := w.file.Exec(f.part, f.path, f.size, uint32(f.mode), f.modified.UnixNano(), f.link, f.folder, f.sum)
	if err != nil {
		return 0, fmt.Errorf("plan %q: %w", f.path, index.Meaning(err))
	}
	return res.LastInsertId()
}

// addPiece adds bytes of a file.
func (w *planWriter) addPiece(pack uint32, p piece) error {
	_, err := w.piece.Exec(pack, p.offset, p.file, p.at, p.length)
	return index.Meaning(err)
}

// setSingle notes that one piece holds all bytes of a file.
func (w *planWriter) setSingle(file int64) error {
	_, err := w.single.Exec(file)
	return index.Meaning(err)
}

// commit ends the plan, with its first journal.
func (w *planWriter) commit(j journal) error {
	_, err := w.tx.Exec(`INSERT INTO packs SELECT DISTINCT pack, 0 FROM pieces`)
	if err == nil {
		err = saveJournal(w.tx, j)
	}
	if err != nil {
		w.rollback()
		return fmt.Errorf("write plan: %w", index.Meaning(err))
	}
	if err := w.tx.Commit(); err != nil {
		return fmt.Errorf("write plan: %w", index.Meaning(err))
	}
	return nil
}

// rollback gives up. On a full disk SQLite itself may have rolled back before:
// therefore rollback has no error.
func (w *planWriter) rollback() { w.tx.Rollback() }

// todo returns the numbers of the packs that are not done, in order.
func (p *plan) todo() ([]uint32, error) {
	statement := `SELECT number FROM packs WHERE done=0 ORDER BY number`
	return query(p, statement, func(rows *sql.Rows) (n uint32, err error) { return n, rows.Scan(&n) })
}

// done marks packs whose bytes are all in their files.
func (p *plan) done(packs []uint32) error {
	tx, err := p.db.Begin()
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	for _, n := range packs {
		if _, err := tx.Exec(`UPDATE packs SET done=1 WHERE number=?`, n); err != nil {
			tx.Rollback()
			return fmt.Errorf("write plan: %w", index.Meaning(err))
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write plan: %w", index.Meaning(err))
	}
	return nil
}

// exec changes the plan.
func (p *plan) exec(statement string, args ...any) error {
	if _, err := p.db.Exec(statement, args...); err != nil {
		return fmt.Errorf("write plan: %w", index.Meaning(err))
	}
	return nil
}

// refetchAll marks every pack as not done.
func (p *plan) refetchAll() error { return p.exec(`UPDATE packs SET done=0`) }

// refetchWith marks the packs of every file that needs a pack as not done. The
// restore then writes the files anew.
func (p *plan) refetchWith(pack uint32) error {
	return p.exec(`UPDATE packs SET done=0 WHERE number IN
		(SELECT pack FROM pieces WHERE file IN (SELECT file FROM pieces WHERE pack=?))`, pack)
}

// refetchPart marks the packs of a part as not done, and returns the paths of the
// part's files.
func (p *plan) refetchPart(part manifest.Part) (paths []string, err error) {
	if err := p.exec(`UPDATE packs SET done=0 WHERE number IN
		(SELECT p.pack FROM pieces p JOIN files f ON f.id=p.file WHERE f.part=?)`, part); err != nil {
		return nil, err
	}
	return query(p, `SELECT path FROM files WHERE part=?`, func(rows *sql.Rows) (path string, err error) {
		return path, rows.Scan(&path)
	}, part)
}

// pieces returns the pieces of a pack by offset, and the files of the pieces.
func (p *plan) pieces(pack uint32) (pieces []piece, files map[int64]plannedFile, err error) {
	files = map[int64]plannedFile{}
	statement := `SELECT p.offset, p.length, p.file, p.at,
		f.part, f.path, f.size, f.mode, f.modified, f.link, f.folder, f.sum, f.single
		FROM pieces p JOIN files f ON f.id=p.file WHERE p.pack=? ORDER BY p.offset`
	pieces, err = query(p, statement, func(rows *sql.Rows) (c piece, err error) {
		f, err := scanFile(rows, &c.offset, &c.length, &c.file, &c.at)
		files[c.file] = f
		return c, err
	}, pack)
	return pieces, files, err
}

// scanFile reads the columns before, then the columns of a file.
func scanFile(rows *sql.Rows, others ...any) (f plannedFile, err error) {
	var mode uint32
	var modified int64
	err = rows.Scan(append(others, &f.part, &f.path, &f.size, &mode, &modified, &f.link, &f.folder, &f.sum,
		&f.single)...)
	f.mode, f.modified = manifest.Mode(mode), time.Unix(0, modified)
	return f, err
}

// incomplete yields the files of some parts that no worker completes: empty
// files, files of several pieces, then symbolic links, and at the end folders. A folder
// comes after everything that it contains.
func (p *plan) incomplete(parts ...manifest.Part) iter.Seq2[plannedFile, error] {
	return func(yield func(plannedFile, error) bool) {
		names := make([]any, len(parts))
		for i, part := range parts {
			names[i] = part
		}
		rows, err := p.db.Query(`SELECT part, path, size, mode, modified, link, folder, sum, single FROM files
			WHERE single=0 AND part IN (?`+strings.Repeat(",?", len(parts)-1)+`)
			ORDER BY folder, link<>'', CASE folder WHEN 1 THEN path END DESC`, names...)
		if err != nil {
			yield(plannedFile{}, fmt.Errorf("read plan: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			f, err := scanFile(rows)
			if !yield(f, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(plannedFile{}, fmt.Errorf("read plan: %w", err))
		}
	}
}

// sum returns the number of files in the plan, without folders, and their bytes.
func (p *plan) sum() (files, bytes int64, err error) {
	const sums = `SELECT count(*), coalesce(sum(size),0) FROM files WHERE folder=0`
	if err = p.db.QueryRow(sums).Scan(&files, &bytes); err != nil {
		return 0, 0, fmt.Errorf("read plan: %w", err)
	}
	return files, bytes, nil
}

// addHurt adds the files that need a pack to sizes, by path.
func (p *plan) addHurt(pack uint32, sizes map[string]int64) error {
	statement := `SELECT DISTINCT f.path, f.size FROM pieces p JOIN files f ON f.id=p.file WHERE p.pack=?`
	_, err := query(p, statement, func(rows *sql.Rows) (path string, err error) {
		var size int64
		err = rows.Scan(&path, &size)
		sizes[path] = size
		return path, err
	}, pack)
	return err
}

// query returns the result of scan for each row.
func query[T any](p *plan, statement string, scan func(*sql.Rows) (T, error), args ...any) (all []T, err error) {
	rows, err := p.db.Query(statement, args...)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read plan: %w", err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return all, nil
}
