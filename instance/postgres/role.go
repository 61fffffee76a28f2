package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/instance/postgres/psql"
	"holdfast/remedy"
)

// hasRole reports whether the server knows GoToSocial's user.
func (d *Database) hasRole(ctx context.Context, admin *pgx.Conn) (exists bool, err error) {
	err = admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, d.config.User).Scan(&exists)
	return exists, err
}

// makeRole makes GoToSocial's user with its password and the right to log in,
// unless the server knows the user. Only a superuser can connect without the user.
func (d *Database) makeRole(ctx context.Context, admin *pgx.Conn) (made bool, err error) {
	if exists, err := d.hasRole(ctx, admin); err != nil || exists {
		return false, err
	}
	statement := "CREATE ROLE " + psql.QuoteName(d.config.User) + " LOGIN"
	if d.config.Password != "" {
		verifier, err := psql.Verifier(d.config.Password)
		if err != nil {
			return false, fmt.Errorf("make PostgreSQL's user: %w", err)
		}
		statement += " PASSWORD '" + verifier + "'"
	}
	if _, err := admin.Exec(ctx, statement); err != nil {
		return false, fmt.Errorf("make PostgreSQL's user: %w", err)
	}
	return true, nil
}

// logIn checks GoToSocial's user and password. The server checks them before it
// looks for a database.
func (d *Database) logIn(ctx context.Context) error {
	if d.socket() && os.Geteuid() == 0 && d.as == nil {
		return nil // a later step of the restore makes the Unix user
	}
	conn, err := d.maintenance().connect(ctx)
	if err == nil {
		return conn.Close(ctx)
	}
	var server *pgconn.PgError
	if !errors.As(err, &server) || !strings.HasPrefix(server.Code, "28") {
		return nil // the server accepted the user
	}
	refused := &remedy.Error{Kind: remedy.Source, What: fmt.Sprintf("PostgreSQL refuses its user %q", d.config.User),
		Err: server}
	if server.Code == "28P01" {
		command := `\password ` + psql.QuoteName(d.config.User)
		refused.Fix = fmt.Sprintf("give the user the password of GoToSocial's configuration: %s; "+
			"or give a configuration with the user's password by --gotosocial",
			remedy.ShellLine([]string{"sudo", "-u", "postgres", "psql", "-c", command}))
	} else {
		refused.Fix = fmt.Sprintf("let user %s connect to every database by pg_hba.conf, at least during the "+
			"restore", d.config.User)
	}
	return refused
}
