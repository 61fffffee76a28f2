package sqlite

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"syscall"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// conn is a connection to a SQLite file, for one goroutine at a time. The
// connection calls the library directly. A page is then read in SQLite's own
// memory at 1,350 MB/s; through database/sql each page costs a copy, at 450 MB/s.
type conn struct {
	tls *libc.TLS
	db  uintptr
}

// The modes of a connection. A read-only connection never checkpoints, even if it
// closes last.
const (
	readLive  = "mode=ro"             // while a server writes
	readAlone = "mode=ro&immutable=1" // no other process, no locks, no log
	readWrite = "mode=rw"
)

// busy is how long a connection waits for a lock, in milliseconds. A writer holds
// the lock during a commit.
const busy = 30_000

// open opens a file in a mode. The caller closes the connection.
func open(path, mode string) (*conn, error) {
	c := &conn{tls: libc.NewTLS()}
	uri := url.URL{Scheme: "file", Path: path, RawQuery: mode}
	name, err := libc.CString(uri.String())
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, name)
	flags := int32(sqlite3.SQLITE_OPEN_READWRITE)
	if strings.HasPrefix(mode, "mode=ro") {
		flags = sqlite3.SQLITE_OPEN_READONLY
	}
	out := c.tls.Alloc(8)
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, out, flags|sqlite3.SQLITE_OPEN_URI|sqlite3.SQLITE_OPEN_NOMUTEX, 0)
	c.db = libc.AtomicLoadPUintptr(out)
	c.tls.Free(8)
	if rc != sqlite3.SQLITE_OK {
		err := c.failure()
		_ = c.close() // err says more
		return nil, err
	}
	sqlite3.Xsqlite3_busy_timeout(c.tls, c.db, busy)
	return c, nil
}

// close ends the connection. The caller closes all statements first.
func (c *conn) close() error {
	rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db)
	c.tls.Close()
	if rc != sqlite3.SQLITE_OK {
		return &Error{code: rc, text: "close"}
	}
	return nil
}

// interruption ends what runs on a connection once a context is done.
type interruption struct {
	cancelled <-chan struct{} // closed once the context is done
	done      chan struct{}   // closed once the connection is interrupted
	err       error           // the context's; set before done is closed
	cancel    func() bool
}

// interrupt ends what runs on the connection once ctx is done. The caller calls
// stop before the connection is closed.
func (c *conn) interrupt(ctx context.Context) *interruption {
	i := &interruption{cancelled: ctx.Done(), done: make(chan struct{})}
	i.cancel = context.AfterFunc(ctx, func() {
		defer close(i.done)
		i.err = ctx.Err()
		tls := libc.NewTLS()
		defer tls.Close()
		sqlite3.Xsqlite3_interrupt(tls, c.db)
	})
	return i
}

// stop ends the watch over the context, and returns the context's error if the
// context is done.
func (i *interruption) stop() error {
	if i.cancel() {
		return nil
	}
	<-i.done
	return i.err
}

// cause returns the context's error once the context is done. The caller has not
// called stop.
func (i *interruption) cause() error {
	select {
	case <-i.cancelled:
		<-i.done
		return i.err
	default:
		return nil
	}
}

// exec runs a statement and ignores its rows.
func (c *conn) exec(ctx context.Context, query string, args ...string) error {
	return c.each(ctx, query, args, func(*stmt) error { return nil })
}

// text returns the first column of the last row, or "" without rows.
func (c *conn) text(ctx context.Context, query string, args ...string) (s string, err error) {
	err = c.each(ctx, query, args, func(row *stmt) error { s = row.text(0); return nil })
	return s, err
}

// number returns the first column of the last row, or 0 without rows.
func (c *conn) number(ctx context.Context, query string, args ...string) (n int64, err error) {
	err = c.each(ctx, query, args, func(row *stmt) error { n = row.number(0); return nil })
	return n, err
}

// each calls row for every row of a query.
func (c *conn) each(ctx context.Context, query string, args []string, row func(*stmt) error) error {
	i := c.interrupt(ctx)
	defer func() { _ = i.stop() }() // the loop below returns the context's error
	s, err := c.prepare(query, args...)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		ok, err := s.next()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case !ok:
			return nil
		}
		if err := row(s); err != nil {
			return err
		}
	}
}

// stmt is a prepared statement.
type stmt struct {
	conn   *conn
	handle uintptr
	bound  []uintptr // the arguments, in C's memory
}

// prepare compiles a query and binds its arguments. The caller closes the
// statement.
func (c *conn) prepare(query string, args ...string) (*stmt, error) {
	text, err := libc.CString(query)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, text)
	out := c.tls.Alloc(8)
	rc := sqlite3.Xsqlite3_prepare_v2(c.tls, c.db, text, -1, out, 0)
	s := &stmt{conn: c, handle: libc.AtomicLoadPUintptr(out)}
	c.tls.Free(8)
	if rc != sqlite3.SQLITE_OK {
		return nil, c.failure()
	}
	for i, arg := range args {
		p, err := libc.CString(arg)
		if err != nil {
			s.close()
			return nil, err
		}
		s.bound = append(s.bound, p)
		rc := sqlite3.Xsqlite3_bind_text(c.tls, s.handle, int32(i+1), p, int32(len(arg)), 0)
		if rc != sqlite3.SQLITE_OK {
			err := c.failure()
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// next steps to the next row. Without a next row it returns false.
func (s *stmt) next() (bool, error) {
	switch sqlite3.Xsqlite3_step(s.conn.tls, s.handle) {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	}
	return false, s.conn.failure()
}

// blob returns a column of the row. The bytes are SQLite's own memory, and valid
// until the next step.
func (s *stmt) blob(column int32) []byte {
	p := sqlite3.Xsqlite3_column_blob(s.conn.tls, s.handle, column)
	n := sqlite3.Xsqlite3_column_bytes(s.conn.tls, s.handle, column)
	if p == 0 {
		return nil
	}
	return libc.GoBytes(p, int(n))
}

func (s *stmt) text(column int32) string {
	return libc.GoString(sqlite3.Xsqlite3_column_text(s.conn.tls, s.handle, column))
}

func (s *stmt) number(column int32) int64 {
	return sqlite3.Xsqlite3_column_int64(s.conn.tls, s.handle, column)
}

func (s *stmt) close() {
	sqlite3.Xsqlite3_finalize(s.conn.tls, s.handle)
	for _, p := range s.bound {
		libc.Xfree(s.conn.tls, p)
	}
}

// Error is a result code with SQLite's message.
type Error struct {
	code int32 // extended
	text string
}

func (e *Error) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.text, e.code) }

// Is makes a full disk a [syscall.ENOSPC].
func (e *Error) Is(target error) bool {
	return target == syscall.ENOSPC && e.code&0xff == sqlite3.SQLITE_FULL
}

func (c *conn) failure() error {
	return &Error{
		code: sqlite3.Xsqlite3_extended_errcode(c.tls, c.db),
		text: libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db)),
	}
}
