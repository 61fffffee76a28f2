// Package guard keeps the scripts of a snapshot within their database.
package guard

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/postgres/psql"
)

// Check refuses scripts with more than a schema. If the user who loads them is powerful, the
// schema may hold no code either.
func Check(ctx context.Context, conn *pgx.Conn, user string, files fs.FS) error {
	if err := psql.Check(files); err != nil {
		return err
	}
	strong, err := isPowerful(ctx, conn, user)
	if err != nil || !strong {
		return err
	}
	return psql.CheckForSuperuser(files, user)
}

// Describe says in the plan what a powerful user means for the restore. For an ordinary user
// there are no details.
func Describe(ctx context.Context, conn *pgx.Conn, user string) (details []string, err error) {
	strong, err := isPowerful(ctx, conn, user)
	if err != nil || !strong {
		return nil, err
	}
	return []string{fmt.Sprintf("PostgreSQL's user %q has a superuser's rights, so the restore takes tables and no "+
		"code; GoToSocial needs no such rights: ALTER ROLE %s NOSUPERUSER", user, psql.QuoteName(user))}, nil
}

// isPowerful reports whether a user can reach out of the database, into files and programs: as
// a superuser, or as a member of a role with such rights. Before version 16 a user with
// CREATEROLE makes itself such a member. A missing user can't: Holdfast makes an ordinary one.
func isPowerful(ctx context.Context, conn *pgx.Conn, user string) (is bool, err error) {
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles self, pg_roles strong WHERE self.rolname = $1
		AND pg_has_role(self.oid, strong.oid, 'MEMBER') AND (strong.rolsuper OR strong.rolname IN
			('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
			OR self.rolcreaterole AND current_setting('server_version_num')::int < 160000))`, user).Scan(&is)
	return is, err
}
