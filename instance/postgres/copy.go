package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"holdfast/instance/postgres/catalog"
)

// copier is a connection that sees a view's snapshot and copies one table at a
// time. The copier speaks PostgreSQL's protocol itself: the reader sets the pace,
// and the bytes pass through no further goroutine or buffer.
type copier struct {
	conn     net.Conn
	frontend *pgproto3.Frontend
}

// copier takes an idle copier, or makes a new one.
func (v *View) copier(ctx context.Context) (*copier, error) {
	v.mu.Lock()
	if n := len(v.idle); n > 0 {
		c := v.idle[n-1]
		v.idle = v.idle[:n-1]
		v.mu.Unlock()
		return c, nil
	}
	v.mu.Unlock()
	conn, err := v.db.connect(ctx)
	if err != nil {
		return nil, err
	}
	// A session that waits for an exclusive lock, behind the view's own locks, lets nobody
	// pass.
	err = execute(ctx, conn, fmt.Sprintf("%s SET TRANSACTION SNAPSHOT '%s'; %s SET LOCAL lock_timeout = %d",
		beginReading, v.snapshot, plainRows, v.db.lockWait.Milliseconds()))
	if err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return nil, v.db.explain(err)
	}
	h, err := hijack(ctx, conn)
	if err != nil {
		return nil, v.db.explain(err)
	}
	return &copier{h.Conn, h.Frontend}, nil
}

func (c *copier) close() error { return c.conn.Close() }

// copy begins to read a table. The copier returns to the view once all rows are
// read and the reader is closed.
func (c *copier) copy(ctx context.Context, v *View, t catalog.Table) (io.ReadCloser, error) {
	c.frontend.Send(&pgproto3.Query{String: t.CopyOut()})
	r := &copied{copier: c, view: v, table: t, cancel: cancelRead(ctx, c.conn)}
	if err := c.frontend.Flush(); err != nil {
		err = r.explain(err)
		_ = r.Close() // the connection is lost already
		return nil, err
	}
	return r, nil
}

// cancellation ends the reads of a connection once a context is done.
type cancellation struct {
	cancelled <-chan struct{} // closed once the context is done
	done      chan struct{}   // closed once err is set
	err       error           // the context's
	stop      func() bool
}

func cancelRead(ctx context.Context, conn net.Conn) *cancellation {
	c := &cancellation{cancelled: ctx.Done(), done: make(chan struct{})}
	c.stop = context.AfterFunc(ctx, func() {
		c.err = ctx.Err()
		close(c.done) // before the reader can fail
		conn.SetDeadline(time.Unix(1, 0))
	})
	return c
}

// cause returns the context's error if the context is done. The caller has not called
// stop.
func (c *cancellation) cause() error {
	select {
	case <-c.cancelled:
		<-c.done
		return c.err
	default:
		return nil
	}
}

// copied reads the rows of a table as COPY prints them, one row on each line.
type copied struct {
	copier *copier
	view   *View
	table  catalog.Table
	cancel *cancellation
	data   []byte // the unread part of a message
	lines  int64
	end    error // io.EOF if all rows are read
}

func (r *copied) Read(p []byte) (n int, err error) {
	for len(r.data) == 0 {
		if r.end == nil {
			r.end = r.next()
		}
		if r.end != nil {
			return 0, r.end
		}
	}
	n = copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

// next takes a message from the server.
func (r *copied) next() error {
	message, err := r.copier.frontend.Receive()
	if err != nil {
		return r.explain(err)
	}
	switch m := message.(type) {
	case *pgproto3.CopyData:
		r.data = m.Data
		r.lines += int64(bytes.Count(m.Data, []byte{'\n'}))
	case *pgproto3.CommandComplete:
		// COPY 123
		_, count, _ := strings.Cut(string(m.CommandTag), " ")
		if rows, err := strconv.ParseInt(count, 10, 64); err != nil || rows != r.lines {
			return fmt.Errorf("read table %s: the server reports %q after %d rows", r.table.Name(), m.CommandTag,
				r.lines)
		}
	case *pgproto3.ErrorResponse:
		return r.explain(pgconn.ErrorResponseToPgError(m))
	case *pgproto3.ReadyForQuery:
		return io.EOF
	}
	return nil
}

func (r *copied) explain(err error) error {
	if cause := r.cancel.cause(); cause != nil {
		return cause
	}
	return fmt.Errorf("read table %s: %w", r.table.Name(), r.view.db.explain(err))
}

// Close returns the copier to the view. If rows are left, Close ends the
// connection.
func (r *copied) Close() error {
	if r.copier == nil {
		return nil
	}
	c := r.copier
	r.copier = nil
	if !r.cancel.stop() || r.end != io.EOF {
		return c.close()
	}
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	r.view.idle = append(r.view.idle, c)
	return nil
}
