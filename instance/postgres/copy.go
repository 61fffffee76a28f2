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

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// copier is a connection that sees a view's snapshot and does COPY, one at a
// time. It speaks the protocol itself: whoever reads the rows decides how fast
// they come, without a goroutine and a copy of the bytes between.
type copier struct {
	conn     net.Conn
	frontend *pgproto3.Frontend
}

// copier takes an idle one, or makes one.
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
	_, err = conn.Exec(ctx, readOnlyTransaction+"SET TRANSACTION SNAPSHOT '"+v.snapshot+"';"+asRows, pgx.QueryExecModeSimpleProtocol)
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

// copy begins to read a table. The copier goes back to the view when the rows
// were read to their end.
func (c *copier) copy(ctx context.Context, v *View, t table) (io.ReadCloser, error) {
	c.frontend.Send(&pgproto3.Query{String: t.copyOut()})
	r := &rows{copier: c, view: v, table: t, ctx: ctx}
	r.stop = context.AfterFunc(ctx, func() { c.conn.SetDeadline(time.Unix(1, 0)) })
	if err := c.frontend.Flush(); err != nil {
		r.Close()
		return nil, r.explain(err)
	}
	return r, nil
}

// rows are the rows of a table as COPY prints them: one a line, so that their
// number is that of the line ends.
type rows struct {
	*copier
	view  *View
	table table
	ctx   context.Context
	stop  func() bool
	data  []byte // what is left of a message
	lines int64
	end   error // io.EOF when all is well
}

func (r *rows) Read(p []byte) (n int, err error) {
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

// next takes a message of the server.
func (r *rows) next() error {
	message, err := r.frontend.Receive()
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
		if told, err := strconv.ParseInt(count, 10, 64); err != nil || told != r.lines {
			return fmt.Errorf("read table %s: the server says %q after %d rows", r.table.name(), m.CommandTag, r.lines)
		}
	case *pgproto3.ErrorResponse:
		return r.explain(pgconn.ErrorResponseToPgError(m))
	case *pgproto3.ReadyForQuery:
		return io.EOF
	}
	return nil
}

func (r *rows) explain(err error) error {
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	return fmt.Errorf("read table %s: %w", r.table.name(), r.view.db.explain(err))
}

// Close gives the connection back, or ends it where rows are left.
func (r *rows) Close() error {
	if r.copier == nil {
		return nil
	}
	c := r.copier
	r.copier = nil
	if !r.stop() || r.end != io.EOF {
		return c.close()
	}
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	r.view.idle = append(r.view.idle, c)
	return nil
}
