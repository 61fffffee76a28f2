// Package index is the host's local memory of the remote's contents: the packs,
// the places of chunks, and the state of each file at the last backup.
//
// The index is a cache. A lost index costs the next backup one full upload, and
// never a snapshot. Callers compare the index with the remote's own list of
// objects before they rely on a pack.
package index

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Index is an open index. An Index is safe for concurrent use within one
// process; the lock of the state folder keeps out other processes.
type Index struct {
	dir  string
	db   *sql.DB
	find *sql.Stmt // finds a chunk by key

	mu    sync.Mutex      // guards the fields below
	next  uint32          // last pack number in use
	known map[uint32]bool // numbers of packs for which Knows is true
	added *filter         // of all chunks; nil if Open found chunks
}

// version changes with the schema. Open replaces an index of another version.
const version = 3

// upgradable is the version that upgrade turns into the present one. The next backup reads
// each file on disk once, because the index lacks the ctimes, and uploads nothing anew.
const upgradable = 2

var upgrade = fmt.Sprintf(`ALTER TABLE files ADD COLUMN changed INTEGER NOT NULL DEFAULT -1;
PRAGMA user_version=%d`, version)

const schema = `
CREATE TABLE packs (
	number INTEGER PRIMARY KEY, part TEXT NOT NULL, name BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,
	state INTEGER NOT NULL, pages BLOB, chunks BLOB);
CREATE TABLE chunks (
	key INTEGER PRIMARY KEY, id BLOB NOT NULL, pack INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL);
CREATE TABLE files (
	part TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, mode INTEGER NOT NULL,
	packs BLOB NOT NULL, line BLOB NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY (part, path)) WITHOUT ROWID;
CREATE TABLE maps (
	path TEXT NOT NULL, segment INTEGER NOT NULL, night INTEGER NOT NULL, packs BLOB NOT NULL, line BLOB NOT NULL,
	PRIMARY KEY (path, segment, night)) WITHOUT ROWID;
CREATE TABLE new_maps (
	path TEXT NOT NULL, segment INTEGER NOT NULL, night INTEGER NOT NULL, base INTEGER NOT NULL, packs BLOB NOT NULL,
	line BLOB NOT NULL, PRIMARY KEY (path, segment)) WITHOUT ROWID;
CREATE TABLE records (name BLOB PRIMARY KEY, text BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
`

// Open opens the index in dir, or makes an empty index. Open replaces a damaged
// index, and an index of another version, by an empty index. fresh reports
// whether the index is new.
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
	// An index holds nothing that a backup can't learn again.
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

// open opens the index file at path, and makes an empty file first if needed.
func open(dir, path string) (*Index, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()
	db, err := sql.Open("sqlite", "file:"+escape(path)+
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"+
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

// load makes or checks the schema, and reads the packs.
func (x *Index) load() error {
	var have int
	if err := x.db.QueryRow(`PRAGMA user_version`).Scan(&have); err != nil {
		return err
	}
	if err := x.bring(have); err != nil {
		return err
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
	return x.sweepTrails() // killed runs leave trails
}

// bring makes the schema, or brings the schema of an older version up to date.
func (x *Index) bring(have int) error {
	statements := ""
	switch have {
	case 0:
		statements = schema + fmt.Sprintf("PRAGMA user_version=%d", version)
	case upgradable:
		statements = upgrade
	case version:
		return nil
	default:
		return fmt.Errorf("version %d: %w", have, errVersion)
	}
	return x.change(func(tx *sql.Tx) error {
		_, err := tx.Exec(statements)
		return err
	})
}

// errVersion means that another version of Holdfast wrote the index.
var errVersion = errors.New("another version wrote the index")

// useless reports whether an error means that no retry will read the index. A
// full disk, a busy file or a missing right says nothing about the index.
func useless(err error) bool {
	var e *sqlite.Error
	if errors.As(err, &e) {
		code := e.Code() & 0xff
		return code == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_CORRUPT
	}
	return errors.Is(err, errVersion)
}

// meaning adds [syscall.ENOSPC] to SQLite's errors of a full disk.
func meaning(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) || errors.Is(err, syscall.ENOSPC) {
		return err
	}
	// SQLITE_IOERR_SHMSIZE means that SQLite could not extend the shared memory file.
	if e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
		return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
	}
	return err
}

// escape makes a path safe in an SQLite URI.
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

// change runs a transaction.
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

// fact returns the value of a fact, or nil.
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

// Close closes the index.
func (x *Index) Close() error { return x.db.Close() }
