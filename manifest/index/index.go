// Package index is the host's local memory of what the remote holds: which
// packs, which chunk lies where, what each file was when it was last read.
//
// It is a cache. Deleted, it costs the next backup one full upload, never a
// snapshot. What it says is only trusted as far as the remote's own listing
// agrees.
package index

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/manifest"
)

// version changes whenever the schema does: an index of another version is
// thrown away.
const version = 2

const schema = `
CREATE TABLE packs (
	number INTEGER PRIMARY KEY, part TEXT NOT NULL, name BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,
	state INTEGER NOT NULL, pages BLOB, chunks BLOB);
CREATE TABLE chunks (
	key INTEGER PRIMARY KEY, id BLOB NOT NULL, pack INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL);
CREATE TABLE files (
	part TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, mode INTEGER NOT NULL,
	packs BLOB NOT NULL, line BLOB NOT NULL, PRIMARY KEY (part, path)) WITHOUT ROWID;
CREATE TABLE maps (
	path TEXT NOT NULL, segment INTEGER NOT NULL, night INTEGER NOT NULL, packs BLOB NOT NULL, line BLOB NOT NULL,
	PRIMARY KEY (path, segment, night)) WITHOUT ROWID;
CREATE TABLE new_maps (
	path TEXT NOT NULL, segment INTEGER NOT NULL, night INTEGER NOT NULL, base INTEGER NOT NULL, packs BLOB NOT NULL,
	line BLOB NOT NULL, PRIMARY KEY (path, segment)) WITHOUT ROWID;
CREATE TABLE records (name BLOB PRIMARY KEY, text BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
`

// Index is open for one process at a time: the state folder's lock sees to
// that. Its methods may be called concurrently.
type Index struct {
	dir  string
	db   *sql.DB
	find *sql.Stmt // a chunk by its key

	mu    sync.Mutex // guards what follows
	next  uint32
	known map[uint32]bool // numbers of the packs that may be named
	added *filter         // of all chunks; nil where the index was not empty at first
}

// Open opens the index in dir and makes it where there is none. An index that
// is damaged or of another version is replaced by an empty one; fresh tells.
func Open(dir string) (x *Index, fresh bool, err error) {
	if err := os.MkdirAll(filepath.Join(dir, "trail"), 0o700); err != nil {
		return nil, false, fmt.Errorf("open index: %w", err)
	}
	path := filepath.Join(dir, "index.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		fresh = true
	}
	if x, err = open(dir, path); err == nil {
		return x, fresh, nil
	}
	if !useless(err) {
		return nil, false, fmt.Errorf("open index %q: %w", path, meaning(err))
	}
	// Nothing in it can't be had again: an unreadable index is no reason to
	// skip a night's backup.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, false, fmt.Errorf("open index: %w", err)
		}
	}
	x, err = open(dir, path)
	if err != nil {
		return nil, false, fmt.Errorf("open index %q: %w", path, meaning(err))
	}
	return x, true, nil
}

// errVersion means that another version of Holdfast wrote the index.
var errVersion = errors.New("it is of another version")

// useless reports whether an index can't be read however often it is tried. A
// full disk, a busy file or a missing right are none of its faults.
func useless(err error) bool {
	var e *sqlite.Error
	if errors.As(err, &e) {
		code := e.Code() & 0xff
		return code == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_CORRUPT
	}
	return errors.Is(err, errVersion)
}

// meaning adds to an error of SQLite what the system would have said.
func meaning(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) || errors.Is(err, syscall.ENOSPC) {
		return err
	}
	// The latter is a shared memory file that could not be made as large as it
	// is to be.
	if e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	}
	return err
}

func open(dir, path string) (*Index, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()
	db, err := sql.Open("sqlite", "file:"+escape(path)+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(NORMAL)&_pragma=cache_size(-1024)&_pragma=temp_store(FILE)")
	if err != nil {
		return nil, err
	}
	x := &Index{dir: dir, db: db, known: map[uint32]bool{}}
	if err := x.load(); err != nil {
		db.Close()
		return nil, err
	}
	return x, nil
}

// escape makes a path safe inside an SQLite URI.
func escape(path string) string {
	var out []byte
	for _, c := range []byte(path) {
		if c == '%' || c == '?' || c == '#' {
			out = fmt.Appendf(out, "%%%02X", c)
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

// load makes or checks the schema and reads the packs.
func (x *Index) load() error {
	var have int
	if err := x.db.QueryRow(`PRAGMA user_version`).Scan(&have); err != nil {
		return err
	}
	if have == 0 {
		if err := x.change(func(tx *sql.Tx) error {
			_, err := tx.Exec(schema + fmt.Sprintf("PRAGMA user_version=%d", version))
			return err
		}); err != nil {
			return err
		}
	} else if have != version {
		return fmt.Errorf("version %d: %w", have, errVersion)
	}
	err := x.db.QueryRow(`SELECT value FROM facts WHERE key='next pack'`).Scan(&x.next)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if x.find, err = x.db.Prepare(`SELECT id, pack, offset, length FROM chunks WHERE key=?`); err != nil {
		return err
	}
	packs, err := x.Packs()
	if err != nil {
		return err
	}
	for _, p := range packs {
		x.known[p.Number] = true
	}
	if len(packs) == 0 {
		x.added = new(filter)
	}
	return x.sweepTrails() // of runs that died
}

// change runs one transaction.
func (x *Index) change(do func(tx *sql.Tx) error) error {
	tx, err := x.db.Begin()
	if err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	if err := do(tx); err != nil {
		tx.Rollback()
		return fmt.Errorf("write index: %w", meaning(err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}

// Close closes the index.
func (x *Index) Close() error { return x.db.Close() }

// State is how far a pack has come.
type State int

const (
	Pending   State = iota // sealed; the remote may or may not have it
	Stored                 // the remote has it, no record names it yet
	Committed              // a record of this host named it
)

// Pack is a row about a pack.
type Pack struct {
	manifest.Pack
	Part  manifest.Part
	State State
}

// Packs returns all rows, by number.
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

// NextPack returns a pack number that was never used, above atLeast too.
func (x *Index) NextPack(atLeast uint32) (uint32, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.next = max(x.next, atLeast) + 1
	// A number that came back would let a stale row point into another pack.
	_, err := x.db.Exec(`INSERT OR REPLACE INTO facts VALUES ('next pack', ?)`, x.next)
	if err != nil {
		return 0, fmt.Errorf("write index: %w", meaning(err))
	}
	return x.next, nil
}

// Knows reports whether a pack may be named.
func (x *Index) Knows(number uint32) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.known[number]
}

// lacks reports whether no pack has a chunk of this key, where that is known.
func (x *Index) lacks(key int64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.added != nil && !x.added.has(key)
}

// Page says which page of a paged file lies next in a pack.
type Page struct {
	Number int64
	Sum    Sum
}

// Contents is what a sealed pack brings.
type Contents struct {
	Chunks []Chunk
	// Path and Pages: the pages of one paged file, from the pack's first byte
	// on, in rising order.
	Path     string
	PageSize int
	Pages    []Page
	Files    []manifest.File // those whose last bytes it holds
}

// AddPack notes a pack before it is put, so that a run that dies between the
// remote's answer and its own next step finds it again.
func (x *Index) AddPack(p Pack, c Contents) error {
	err := x.change(func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO packs VALUES (?,?,?,?,?,?,?)`, p.Number, p.Part, p.Name[:], p.Size, p.State, c.pages(), c.chunks()); err != nil {
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

// PutFiles notes files whose bytes all lie in packs that were added before.
func (x *Index) PutFiles(files []manifest.File) error {
	if len(files) == 0 {
		return nil
	}
	return x.change(func(tx *sql.Tx) error { return putFiles(tx, files) })
}

func putFiles(tx *sql.Tx, files []manifest.File) error {
	insert, err := tx.Prepare(`INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?,?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range files {
		f := &files[i]
		line, err := manifest.Line{File: f}.Append(nil)
		if err != nil {
			return err
		}
		var packs []byte
		for _, e := range f.Extents {
			packs = binary.LittleEndian.AppendUint32(packs, e.Pack)
		}
		if packs == nil {
			packs = []byte{}
		}
		if _, err := insert.Exec(f.Part, f.Path, f.Size, f.Modified.UnixNano(), uint32(f.Mode), packs, line); err != nil {
			return err
		}
	}
	return nil
}

// ForgetFiles forgets files of which the instance knows nothing any more.
func (x *Index) ForgetFiles(part manifest.Part, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	return x.change(func(tx *sql.Tx) error {
		for _, path := range paths {
			if _, err := tx.Exec(`DELETE FROM files WHERE part=? AND path=?`, part, path); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetState moves a pack on.
func (x *Index) SetState(number uint32, s State) error {
	_, err := x.db.Exec(`UPDATE packs SET state=? WHERE number=?`, s, number)
	if err != nil {
		return fmt.Errorf("write index: %w", meaning(err))
	}
	return nil
}

// Drop forgets packs that the remote does not have. What pointed into them
// counts as unknown from then on.
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

// File is a row about a file, as far as it is needed to know it again.
type File struct {
	Path     string
	Size     int64
	Modified int64 // nanoseconds since 1970
	Mode     uint32
	Packs    []uint32
	Line     []byte // of the listing
}

// Parse is the file as its line tells it; zero where the line can't be read.
func (f File) Parse() (line manifest.File) {
	if err := json.Unmarshal(f.Line, &line); err != nil {
		return manifest.File{}
	}
	return line
}

// Files yields the rows of a part in byte order of the path, those left out
// whose packs are gone. Line is valid until the next row.
func (x *Index) Files(part manifest.Part) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		rows, err := x.db.Query(`SELECT path, size, modified, mode, packs, line FROM files WHERE part=? ORDER BY path`, part)
		if err != nil {
			yield(File{}, fmt.Errorf("read index: %w", err))
			return
		}
		defer rows.Close()
		var packs, line sql.RawBytes
		for rows.Next() {
			var f File
			if err := rows.Scan(&f.Path, &f.Size, &f.Modified, &f.Mode, &packs, &line); err != nil {
				yield(f, fmt.Errorf("read index: %w", err))
				return
			}
			f.Packs, f.Line = numbers(packs), line
			if x.knowsAll(f.Packs) && !yield(f, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(File{}, fmt.Errorf("read index: %w", err))
		}
	}
}

func numbers(packs []byte) []uint32 {
	out := make([]uint32, len(packs)/4)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(packs[4*i:])
	}
	return out
}

func (x *Index) knowsAll(packs []uint32) bool {
	for _, n := range packs {
		if !x.Knows(n) {
			return false
		}
	}
	return true
}
