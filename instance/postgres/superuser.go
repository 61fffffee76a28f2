package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/remedy"
)

// admin connects to make and rename databases: as the instance's own user where
// that may do so, else as the superuser, if this is root beside the server.
func (p *Database) admin(ctx context.Context) (*pgx.Conn, error) {
	conn, err := p.maintenance().connect(ctx)
	if err == nil {
		var may bool
		if err = conn.QueryRow(ctx, `SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user`).Scan(&may); err == nil && may {
			return conn, nil
		}
		defer conn.Close(context.WithoutCancel(ctx))
	}
	super, superErr := p.superuser(ctx)
	switch {
	case superErr == nil:
		return super, nil
	case err != nil:
		return nil, err
	}
	return nil, &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("PostgreSQL's user %q may not make a database", p.config.User), Fix: p.mayCreate()}
}

// noAdmin adds to an error of admin what helps where PostgreSQL doesn't know the
// user at all, which it doesn't tell from a wrong password.
func (p *Database) noAdmin(err error) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) || !strings.HasPrefix(server.Code, "28") {
		return err
	}
	return &remedy.Error{Kind: remedy.Source, What: fmt.Sprintf("PostgreSQL refuses its user %q", p.config.User), Err: server,
		Fix: fmt.Sprintf("correct db-user and db-password; if it is new there: sudo -u postgres createuser --createdb --pwprompt %s, with that password; as root on the machine of PostgreSQL Holdfast makes it", p.config.User)}
}

// to is the same server, another database and user.
func (p *Database) to(database, user string) *Database {
	config := p.config.Copy()
	config.Database, config.User = database, user
	return newPostgres(config)
}

// maintenance is the database that every server has, to the same user.
func (p *Database) maintenance() *Database {
	m := p.to("postgres", p.config.User)
	delete(m.config.RuntimeParams, "search_path")
	return m
}

// socketPlaces are where PostgreSQL has its sockets: Debian, its own default.
var socketPlaces = []string{"/var/run/postgresql", "/tmp"}

// superuser connects as PostgreSQL's own user, by the socket, as root may. Another
// cluster may have its socket under the same port: it counts if it is the server
// that the settings lead to.
func (p *Database) superuser(ctx context.Context) (*pgx.Conn, error) {
	as := account("postgres")
	if as == nil || os.Geteuid() != 0 || !p.here() {
		return nil, fs.ErrPermission
	}
	config := p.config.Copy()
	config.User, config.Database, config.Password, config.TLSConfig, config.Fallbacks = "postgres", "postgres", "", nil, nil
	delete(config.RuntimeParams, "search_path")
	places := socketPlaces
	if p.socket() {
		places = []string{p.config.Host}
	}
	for _, dir := range places {
		config.Host = dir
		conn, err := newPostgres(config).connect(ctx)
		if err != nil {
			continue
		}
		if p.socket() || listens(conn, p.config.Port) {
			return conn, nil
		}
		conn.Close(context.WithoutCancel(ctx))
	}
	return nil, fs.ErrPermission
}

// here reports whether the server runs on this machine.
func (p *Database) here() bool {
	return p.socket() || slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, p.config.Host)
}
