package postgres

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// connect opens a connection.
func (d *Database) connect(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.ConnectConfig(ctx, d.config)
	return c, d.explain(err)
}

// hijack takes the network connection out of conn. The caller then speaks
// PostgreSQL's protocol directly.
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

// reached returns the server that answers now. A connection string may allow
// several hosts, addresses and TLS modes, but a snapshot exists on one server only.
func (d *Database) reached(ctx context.Context) (*Database, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.checkPooler(ctx, conn); err != nil {
		return nil, errors.Join(d.explain(err), conn.Close(context.WithoutCancel(ctx)))
	}
	h, err := hijack(ctx, conn)
	if err != nil {
		return nil, d.explain(err)
	}
	defer h.Conn.Close()
	one := &Database{config: d.config.Copy(), as: d.as, lockWait: d.lockWait, owner: d.owner, login: d.login}
	c := one.config
	c.TLSConfig, c.Fallbacks, c.ValidateConnect = h.TLSConfig, nil, nil
	several := slices.ContainsFunc(d.config.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != d.config.Host || f.Port != d.config.Port
	})
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

// plainSession makes a session read scripts and rows as they are written, and lifts every
// limit on the time of the session. A role or a database may have other settings.
const plainSession = `
	SET standard_conforming_strings = on; SET client_encoding = 'UTF8'; SET xmloption = 'content';
	SET array_nulls = on; SET default_transaction_read_only = off;
	SELECT set_config(name, '0', false) FROM pg_settings WHERE name LIKE '%_timeout' AND context = 'user'`

// connectToLoad opens a connection that no setting of the role, the database or the
// server disturbs. Each version of PostgreSQL has more timeouts.
func (d *Database) connectToLoad(ctx context.Context) (*pgx.Conn, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err = d.checkPooler(ctx, conn); err == nil {
		err = execute(ctx, conn, plainSession)
	}
	if err != nil {
		return nil, errors.Join(d.explainLoad(err), conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

// execute runs SQL statements that return no rows.
func execute(ctx context.Context, conn *pgx.Conn, statements string) error {
	_, err := conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol)
	return err
}
