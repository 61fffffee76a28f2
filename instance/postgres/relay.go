package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/sync/errgroup"

	"holdfast/remedy"
)

// relay lends a connection of ours to a client program, by a socket in a folder
// that this user alone can enter. So the program speaks to the very server that we
// do, however it was found and whatever TLS it asks for, and learns no password.
type relay struct {
	dir      string
	listener net.Listener
	server   *pgconn.HijackedConn
	g        errgroup.Group
}

// relay connects, and waits for one client.
func (p *Database) relay(ctx context.Context) (*relay, error) {
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	// What pg_dump leaves to others shows in the schema's default values.
	if _, err := conn.Exec(ctx, "SET timezone = 'UTC'"); err != nil {
		return nil, errors.Join(p.explain(err), conn.Close(context.WithoutCancel(ctx)))
	}
	r := new(relay)
	if r.server, err = hijack(ctx, conn); err != nil {
		return nil, p.explain(err)
	}
	if r.dir, err = os.MkdirTemp("", "holdfast-"); err == nil {
		r.listener, err = net.Listen("unix", filepath.Join(r.dir, ".s.PGSQL.5432"))
	}
	if err != nil {
		return nil, errors.Join(&remedy.Error{Kind: remedy.Source, What: "dump database: can't make a socket for pg_dump", Err: err,
			Fix: "let TMPDIR name a folder that this user can write into, by a short name such as /tmp"}, r.server.Conn.Close(), os.RemoveAll(r.dir))
	}
	r.g.Go(r.serve)
	return r, nil
}

// environment leads a client program here, whatever its own user's settings say.
func (r *relay) environment() []string {
	return []string{"PGHOST=" + r.dir, "PGPORT=5432", "PGUSER=" + r.server.Config.User, "PGDATABASE=" + r.server.Config.Database, "PGSSLMODE=disable", "PGGSSENCMODE=disable"}
}

// serve brings one client to the server, until either hangs up.
func (r *relay) serve() error {
	client, err := r.listener.Accept()
	if err != nil {
		return err
	}
	defer client.Close()
	defer r.server.Conn.Close()
	if err := errors.Join(r.listener.Close(), os.RemoveAll(r.dir), r.welcome(client)); err != nil {
		return err
	}
	var g errgroup.Group
	g.Go(func() error {
		defer r.server.Conn.Close()
		_, err := io.Copy(r.server.Conn, client)
		return err
	})
	g.Go(func() error {
		defer client.Close()
		_, err := io.Copy(client, r.server.Conn)
		return err
	})
	return g.Wait()
}

// welcome says to the client what the server says after a password.
func (r *relay) welcome(client net.Conn) error {
	b := pgproto3.NewBackend(client, client)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return err
	}
	b.Send(&pgproto3.AuthenticationOk{})
	for name, value := range r.server.ParameterStatuses {
		b.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: r.server.TxStatus})
	return b.Flush()
}

// close ends it, also where no client came.
func (r *relay) close() error {
	err := errors.Join(r.listener.Close(), r.server.Conn.Close(), os.RemoveAll(r.dir))
	return errors.Join(err, r.g.Wait())
}
