package client

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/sync/errgroup"

	"holdfast/remedy"
)

// relay lends a connection to a client program. The program connects to a socket in
// a folder that is closed to other users. So the program reaches the same server as
// the connection, with the same TLS settings, and learns no password.
type relay struct {
	dir      string
	listener net.Listener
	server   *pgconn.HijackedConn
	alive    atomic.Pointer[silence] // hears the traffic
	g        errgroup.Group
}

// openRelay waits for one client. The relay owns the connection; the caller closes
// the relay.
func openRelay(conn *pgconn.HijackedConn) (*relay, error) {
	r := &relay{server: conn}
	var err error
	if r.dir, err = os.MkdirTemp("", "holdfast-"); err == nil {
		r.listener, err = net.Listen("unix", filepath.Join(r.dir, ".s.PGSQL.5432"))
	}
	if err != nil {
		failed := &remedy.Error{
			Kind: remedy.Source, What: "dump database: can't make a socket for pg_dump", Err: err,
			Fix: "set TMPDIR to a folder with a short name that this user can write to, such as /tmp",
		}
		return nil, errors.Join(failed, conn.Conn.Close(), os.RemoveAll(r.dir))
	}
	r.g.Go(r.serve)
	return r, nil
}

// environment returns the variables that lead a client program to the relay. They
// override the settings of the program's user.
func (r *relay) environment() []string {
	return []string{
		"PGHOST=" + r.dir, "PGPORT=5432", "PGUSER=" + r.server.Config.User, "PGDATABASE=" + r.server.Config.Database,
		"PGSSLMODE=disable", "PGGSSENCMODE=disable",
	}
}

// serve connects one client with the server, until one of the two hangs up.
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
		_, err := io.Copy(r.server.Conn, r.heard(client))
		return err
	})
	g.Go(func() error {
		defer client.Close()
		_, err := io.Copy(client, r.heard(r.server.Conn))
		return err
	})
	return g.Wait()
}

// heard reads from a connection, and tells of each read.
func (r *relay) heard(conn net.Conn) io.Reader { return heardReader{conn, &r.alive} }

type heardReader struct {
	conn  net.Conn
	alive *atomic.Pointer[silence]
}

func (h heardReader) Read(p []byte) (int, error) {
	n, err := h.conn.Read(p)
	if s := h.alive.Load(); s != nil {
		s.heard()
	}
	return n, err
}

// welcome sends what a server sends after it accepts a password.
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

// close ends the connection and the wait for a client.
func (r *relay) close() error {
	err := errors.Join(r.listener.Close(), r.server.Conn.Close(), os.RemoveAll(r.dir))
	return errors.Join(err, r.g.Wait())
}
