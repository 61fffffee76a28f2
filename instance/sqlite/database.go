// Package sqlite reads the live SQLite database of an instance, and puts a restored
// one in its place.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// Database is a live SQLite database.
type Database struct {
	path   string // without symbolic links
	logged bool   // the database is in WAL mode; known only if another user owns the file
}

// Open finds the database of the configuration. Open makes no connection.
func Open(c *gotosocial.Config) (*Database, error) {
	db, err := findDatabase(c.Database())
	if err != nil {
		return nil, c.PathError("database", "db-address", err)
	}
	return db, nil
}

func findDatabase(address string) (db *Database, err error) {
	db = new(Database)
	if db.path, err = filepath.EvalSymlinks(address); err != nil {
		return nil, err
	}
	info, err := os.Stat(db.path)
	if err != nil {
		return nil, err
	}
	if err := disk.CheckRegular(info); err != nil {
		return nil, err
	}
	if foreign(info) {
		db.logged, err = writeAhead(db.path)
	}
	return db, err
}

// Holds reports whether a file is the live database under any name, or a file that
// SQLite keeps beside the database.
func (d *Database) Holds(info fs.FileInfo) bool {
	for _, suffix := range databaseFiles {
		if of, err := os.Stat(d.path + suffix); err == nil && os.SameFile(of, info) {
			return true
		}
	}
	return false
}

// connect opens the live database for reading.
func (d *Database) connect() (*conn, error) {
	if err := d.mayRead(); err != nil {
		return nil, err
	}
	c, err := open(d.path, readLive)
	return c, d.explain(err)
}

// EachLocalMedia calls key with the storage keys of local media, in a transaction
// of its own.
func (d *Database) EachLocalMedia(ctx context.Context, key func(string)) error {
	c, err := d.connect()
	if err != nil {
		return err
	}
	defer func() { _ = c.close() }() // the connection only reads
	return d.explain(c.each(ctx, gotosocial.LocalMedia+" ORDER BY 1 COLLATE BINARY", nil, func(row *stmt) error {
		key(row.text(0))
		return nil
	}))
}

// mayRead refuses to read if the reader could harm the server or read wrong data.
func (d *Database) mayRead() error {
	if name := network(filepath.Dir(d.path)); name != "" {
		return &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("database %s lies on %s, where SQLite's locks have no effect", d.path, name),
			Fix:  "run Holdfast on the machine that has the disk, or move the database to a local one"}
	}
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if !d.logged || !foreign(info) {
		return nil
	}
	// Without a running server the reader would create these files. They would belong
	// to the reader, and the server could not open its own database.
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(d.path + suffix); errors.Is(err, fs.ErrNotExist) {
			name := disk.UserName(disk.FileUser(info))
			return &remedy.Error{Kind: remedy.Refused,
				What: fmt.Sprintf("database %s belongs to %s, and the server does not run", d.path, name),
				Fix: fmt.Sprintf("run Holdfast as that user: sudo -u %s holdfast …, or as root, or start GoToSocial",
					name)}
		}
	}
	return nil
}

// foreign reports whether a file belongs to another user, unless root asks.
func foreign(info fs.FileInfo) bool {
	me := os.Geteuid()
	return me != 0 && me != disk.FileUser(info)
}

// writeAhead reads from the header of a database whether the database is in WAL
// mode (sqlite.org/fileformat.html, 1.3.3). The header may differ from the
// configuration. Closing the file drops all locks of this process on the file, so
// no connection may be open.
func writeAhead(path string) (bool, error) {
	f, err := disk.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 20)
	if _, err := io.ReadFull(f, head); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil // SQLite reports the damage
	} else if err != nil {
		return false, err
	}
	return head[19] == 2, nil
}

// explain adds a fix to an error of SQLite.
func (d *Database) explain(err error) error {
	var e *Error
	if errors.Is(err, context.Canceled) || !errors.As(err, &e) {
		return err
	}
	p := &remedy.Error{Kind: remedy.Source, What: "database " + d.path, Err: err}
	switch e.code & 0xff {
	case sqlite3.SQLITE_NOTADB:
		p.What += " is not an SQLite database, or is encrypted"
		p.Fix = "correct db-address"
	case sqlite3.SQLITE_CORRUPT:
		p.What += " is damaged"
		p.Fix = "stop the server, keep a copy of the file, and restore an earlier snapshot, " +
			"or try: sqlite3 FILE .recover"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		p.What += " can't be opened"
		p.Fix = "run Holdfast as root or as the file's user, with the right to write to the file's folder"
		if dir := filepath.Dir(d.path); errors.Is(disk.CheckFillable(dir), unix.EROFS) {
			p.What += " on a disk that is mounted read-only"
			p.Fix = fmt.Sprintf("mount %s for writing, or start GoToSocial: in WAL mode SQLite needs a file beside "+
				"the database, and a running server has made the file", dir)
		}
	case sqlite3.SQLITE_READONLY:
		p.What += " needs a recovery: the server died during a write"
		p.Fix = "start GoToSocial once: the server recovers the database"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		p.What += fmt.Sprintf(" was locked for %d s", busy/1000)
		p.Fix = "find and end the process that holds the lock: fuser -v " + d.path
	case sqlite3.SQLITE_FULL:
		p.What += " needs room for sorting"
		p.Fix = "make room in the temporary folder, or name another folder by SQLITE_TMPDIR"
	default:
		p.Fix = "look for disk errors in the system's log"
	}
	return p
}
