package postgres

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// connect opens a connection.
func (p *Database) connect(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.ConnectConfig(ctx, p.config)
	return c, p.explain(err)
}

// hijack opens a connection for who speaks the protocol itself.
func hijack(ctx context.Context, conn *pgx.Conn) (*pgconn.HijackedConn, error) {
	err := conn.PgConn().SyncConn(ctx)
	if err == nil {
		var h *pgconn.HijackedConn
		if h, err = conn.PgConn().Hijack(); err == nil {
			return h, nil
		}
	}
	return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// reached is the one server that can be reached now, of the hosts, addresses and
// TLS modes that a connection string may allow: a snapshot is known to one server
// alone.
func (p *Database) reached(ctx context.Context) (*Database, error) {
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	h, err := hijack(ctx, conn)
	if err != nil {
		return nil, p.explain(err)
	}
	defer h.Conn.Close()
	one := &Database{config: p.config.Copy(), as: p.as}
	c := one.config
	c.TLSConfig, c.Fallbacks, c.ValidateConnect = h.TLSConfig, nil, nil
	several := slices.ContainsFunc(p.config.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.Host != p.config.Host || f.Port != p.config.Port })
	switch at := h.Conn.RemoteAddr().(type) {
	case *net.UnixAddr:
		dir, name := filepath.Split(at.Name)
		port, err := strconv.ParseUint(strings.TrimPrefix(name, ".s.PGSQL."), 10, 16)
		if err != nil {
			return nil, err
		}
		c.Host, c.Port = filepath.Clean(dir), uint16(port)
	case *net.TCPAddr:
		c.LookupFunc = func(context.Context, string) ([]string, error) { return []string{at.String()}, nil }
		if several {
			c.Host, c.Port = at.IP.String(), uint16(at.Port)
		}
	}
	return one, nil
}

// dialAs connects to a socket as another user of this machine, as root may:
// PostgreSQL's peer authentication asks the kernel who connected.
func dialAs(ctx context.Context, network, addr string, as *syscall.Credential) (conn net.Conn, err error) {
	var g errgroup.Group
	g.Go(func() error {
		// Linux has users by thread. This one is never unlocked: it ends with
		// the goroutine, and nobody else runs on it.
		runtime.LockOSThread()
		for _, call := range []struct{ number, id uintptr }{{syscall.SYS_SETRESGID, uintptr(as.Gid)}, {syscall.SYS_SETRESUID, uintptr(as.Uid)}} {
			if _, _, errno := syscall.RawSyscall(call.number, call.id, call.id, call.id); errno != 0 {
				return errno
			}
		}
		var err error
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	err = g.Wait()
	return conn, err
}
