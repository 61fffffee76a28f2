package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// FileName is the path of a SQLite database in the database part. The server's
// own name for the file does not matter.
const FileName = "sqlite.db"

// View is a SQLite database at one moment: a read transaction on the live file.
// Only one goroutine at a time may use a view.
type View struct {
	db    *Database
	conn  *conn
	file  manifest.File
	facts manifest.Facts
	began time.Time
}

// Begin opens a read transaction. Before, Begin checks that reading does the server
// no harm.
func (d *Database) Begin(ctx context.Context, domain string) (vault.View, error) {
	v, err := d.view(ctx, domain)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (d *Database) view(ctx context.Context, domain string) (*View, error) {
	c, err := d.connect()
	if err != nil {
		return nil, err
	}
	v := &View{db: d, conn: c}
	if err := v.begin(ctx, domain); err != nil {
		_ = c.close() // the connection only reads
		return nil, d.explain(err)
	}
	return v, nil
}

func (v *View) begin(ctx context.Context, domain string) error {
	if err := v.conn.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	// The first statement that reads fixes the moment of the view.
	v.began = time.Now()
	count, err := v.conn.number(ctx, "PRAGMA page_count")
	if err != nil {
		return err
	}
	size, err := v.conn.number(ctx, "PRAGMA page_size")
	if err != nil {
		return err
	}
	info, err := os.Stat(v.db.path)
	if err != nil {
		return err
	}
	mode, _ := disk.PlainMode(v.db.path, info)
	v.file = manifest.File{
		Part:     manifest.Database,
		Path:     FileName,
		Size:     count * size,
		Mode:     manifest.Mode(mode),
		Modified: info.ModTime(),
		PageSize: int(size),
	}
	// In WAL mode the server writes to the log first.
	if wal, err := os.Stat(v.db.path + "-wal"); err == nil && wal.ModTime().After(info.ModTime()) {
		v.file.Modified = wal.ModTime()
	}
	v.facts, err = v.conn.facts(ctx, domain)
	v.facts.Engine = gotosocial.SQLite
	return err
}

// facts describes a GoToSocial database. It never reads a whole table: counts come
// from an index or stay 0.
func (c *conn) facts(ctx context.Context, domain string) (f manifest.Facts, err error) {
	for _, table := range gotosocial.RequiredTables {
		n, err := c.number(ctx, "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name=?", table)
		if err != nil {
			return f, err
		}
		if n == 0 {
			return f, &remedy.Error{Kind: remedy.Setting,
				What: "the SQLite database is not GoToSocial's: it has no table " + table,
				Fix:  "set db-address to the file that the server uses; if the instance is new, start the server once"}
		}
	}
	if f.Migration, err = c.text(ctx, "SELECT name FROM bun_migrations ORDER BY id DESC LIMIT 1"); err != nil {
		return f, err
	}
	// The name goes into a record, to terminals and into run.env.
	f.Migration = remedy.Printable(f.Migration)
	// The instance has an account too, named like its domain.
	f.Accounts, err = c.count(ctx, "accounts", "domain", "domain IS NULL AND username<>?", domain)
	if err != nil {
		return f, err
	}
	f.Statuses, err = c.count(ctx, "statuses", "local", "local=1")
	return f, err
}

// count counts rows if an index of the table begins with the column. Without an
// index count returns 0.
func (c *conn) count(ctx context.Context, table, column, where string, args ...string) (int64, error) {
	indexes, err := c.number(ctx, `SELECT count(*) FROM pragma_index_list(?) AS i, pragma_index_info(i.name) AS c
		WHERE NOT i.partial AND c.seqno=0 AND c.name=?`, table, column)
	if err != nil || indexes == 0 {
		return 0, err
	}
	return c.number(ctx, "SELECT count(*) FROM "+table+" WHERE "+where, args...)
}

// Facts describes the instance for the snapshot's record.
func (v *View) Facts(context.Context) (manifest.Facts, time.Time) { return v.facts, v.began }

// Database lists the one file of pages.
func (v *View) Database() []manifest.File { return []manifest.File{v.file} }

// OpenDatabase reads the pages in order, as the transaction sees them in file and
// log. The caller closes the reader before any other use of the view.
func (v *View) OpenDatabase(ctx context.Context, path string) (io.ReadCloser, error) {
	if path != FileName {
		return nil, fmt.Errorf("database part has no file %q: %w", path, os.ErrNotExist)
	}
	rows, err := v.conn.prepare("SELECT data FROM sqlite_dbpage ORDER BY pgno")
	if err != nil {
		return nil, v.db.explain(err)
	}
	return &pages{db: v.db, rows: rows, interrupt: v.conn.interrupt(ctx), left: v.file.Size}, nil
}

// pages reads a database as the bytes of its file.
type pages struct {
	db        *Database
	rows      *stmt // nil once closed
	interrupt *interruption
	page      []byte // the unread part of a page, in SQLite's memory
	left      int64  // bytes after page
}

func (p *pages) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if len(p.page) == 0 {
			if err := p.next(); err != nil {
				return n, err
			}
		}
		k := copy(b[n:], p.page)
		p.page = p.page[k:]
		n += k
	}
	return n, nil
}

func (p *pages) next() error {
	if p.left == 0 {
		return io.EOF
	}
	ok, err := p.rows.next()
	if cause := p.interrupt.cause(); cause != nil {
		return cause
	}
	switch {
	case err != nil:
		return p.db.explain(err)
	case !ok:
		return fmt.Errorf("read pages: the database ended %d bytes early", p.left)
	}
	p.page = p.rows.blob(0)
	p.left -= int64(len(p.page))
	if len(p.page) == 0 || p.left < 0 {
		return fmt.Errorf("read pages: got a page of %d bytes, with %d bytes left", len(p.page), p.left)
	}
	return nil
}

// Close closes the statement, and returns an error if the reader was interrupted.
func (p *pages) Close() error {
	if p.rows == nil {
		return nil
	}
	err := p.interrupt.stop()
	p.rows.close()
	p.rows = nil
	return err
}

// Media yields the storage keys of local media in byte order, each once. A key may
// be no valid path. For a large instance SQLite sorts the keys in a temporary file.
func (v *View) Media(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := v.conn.each(ctx, gotosocial.LocalMedia+" ORDER BY 1 COLLATE BINARY", nil, func(row *stmt) error {
			if !yield(row.text(0), nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && err != errEnough {
			yield("", v.db.explain(err))
		}
	}
}

var errEnough = errors.New("enough")

// Close ends the transaction. A second call does nothing.
func (v *View) Close() error {
	if v.conn == nil {
		return nil
	}
	c := v.conn
	v.conn = nil
	return c.close()
}
