package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/instance/postgres/peer"
	"holdfast/remedy"
)

// admin opens a connection that may make and rename databases: as GoToSocial's
// own user if that user may, else as the superuser. Only root on the server's
// machine can connect as the superuser.
func (d *Database) admin(ctx context.Context) (*pgx.Conn, error) {
	conn, err := d.maintenance().connectToLoad(ctx)
	if err == nil {
		const rights = `SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user`
		var may bool
		if err = conn.QueryRow(ctx, rights).Scan(&may); err == nil && may {
			return conn, nil
		}
		defer conn.Close(context.WithoutCancel(ctx))
	}
	super, superErr := d.superuser(ctx)
	switch {
	case superErr == nil:
		return super, nil
	case err != nil:
		return nil, err
	}
	return nil, &remedy.Error{
		Kind: remedy.Refused,
		What: fmt.Sprintf("PostgreSQL's user %q has no right to create a database", d.config.User),
		Fix:  d.fixCreating(),
	}
}

// socketFolders are the folders where PostgreSQL has its sockets: Debian's and
// PostgreSQL's own default.
var socketFolders = []string{"/var/run/postgresql", "/tmp"}

// superuser connects as the user postgres by the socket. Another server may have a
// socket for the same port, so superuser checks that the two are one server.
func (d *Database) superuser(ctx context.Context) (*pgx.Conn, error) {
	if account("postgres") == nil || os.Geteuid() != 0 || !d.isLocal() {
		return nil, fs.ErrPermission
	}
	config := d.config.Copy()
	config.User, config.Database, config.Password = "postgres", "postgres", ""
	config.TLSConfig, config.Fallbacks = nil, nil
	delete(config.RuntimeParams, "search_path")
	folders := socketFolders
	if d.socket() {
		folders = []string{d.config.Host}
	}
	for _, folder := range folders {
		config.Host = folder
		conn, err := newDatabase(config).connectToLoad(ctx)
		if err != nil {
			continue
		}
		if d.socket() || peer.Listens(conn.PgConn().Conn(), d.config.Port) {
			return conn, nil
		}
		conn.Close(context.WithoutCancel(ctx))
	}
	return nil, fs.ErrPermission
}

// explainAdmin adds a fix to an error of [Database.admin] if the server may not
// know the user. PostgreSQL reports an unknown user and a wrong password alike.
func (d *Database) explainAdmin(err error) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) || !strings.HasPrefix(server.Code, "28") {
		return err
	}
	return &remedy.Error{
		Kind: remedy.Source, What: fmt.Sprintf("PostgreSQL refuses its user %q", d.config.User), Err: server,
		Fix: fmt.Sprintf("correct db-user and db-password; if the user is new there: sudo -u postgres createuser "+
			"--createdb --pwprompt %s, "+
			"with the same password; on PostgreSQL's machine Holdfast makes the user itself if root runs "+
			"it", remedy.QuoteShell(d.config.User)),
	}
}
