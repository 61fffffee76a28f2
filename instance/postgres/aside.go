package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/disk"
	"holdfast/instance/postgres/psql"
	"holdfast/internal/units"
	"holdfast/remedy"
)

// vacate checks that a restore may use the database's name. aside is the new name
// for a database that is in the way, or "" if no database has the name. With
// replace the database in the way may hold something.
func (d *Database) vacate(ctx context.Context, admin *pgx.Conn, replace bool) (aside string, err error) {
	name := d.config.Database
	var may bool
	err = admin.QueryRow(ctx, `SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = $1`,
		name).Scan(&may)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	empty, err := isEmpty(ctx, admin, name)
	switch {
	case err != nil:
		return "", err
	case !empty && !replace:
		return "", &remedy.Error{
			Kind: remedy.Refused, Err: &disk.InTheWay{Path: d.String(), Detail: "exists"},
			Fix: "--replace renames the database; Holdfast never drops a database",
		}
	case !may:
		return "", &remedy.Error{
			Kind: remedy.Refused, What: fmt.Sprintf("%s exists and does not belong to %q", d, d.config.User),
			Fix: fmt.Sprintf("as PostgreSQL's superuser: ALTER DATABASE %s OWNER TO %s; then the restore can rename "+
				"the database aside",
				psql.QuoteName(name), psql.QuoteName(d.config.User)),
		}
	}
	// PostgreSQL refuses to rename a database with connections. PostgreSQL ends its
	// own workers, which have no user.
	const connections = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = $1 AND usesysid IS NOT NULL AND coalesce(application_name, '') <> '` + applicationName + `'`
	var others int
	if err := admin.QueryRow(ctx, connections, name).Scan(&others); err != nil {
		return "", err
	}
	if others > 0 {
		return "", &remedy.Error{
			Kind: remedy.Refused,
			What: fmt.Sprintf("%s is in use by %s", d, units.Count(others, "connection")),
			Fix:  fixInUse,
		}
	}
	return asidePrefix(name) + time.Now().UTC().Format("20060102_150405"), nil
}

// asidePrefix begins the new names of databases that were in the way.
func asidePrefix(database string) string { return psql.ShortName(database) + "_before_" }

// listAside tells a person about each database that a restore renamed aside. An
// error of the server ends the list.
func (d *Database) listAside(ctx context.Context) (rest []string) {
	admin, err := d.admin(ctx)
	if err != nil {
		return nil
	}
	defer admin.Close(context.WithoutCancel(ctx))
	rows, err := admin.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname`,
		asidePrefix(d.config.Database))
	if err != nil {
		return nil
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil
	}
	for _, name := range names {
		drop := "DROP DATABASE " + psql.QuoteName(name)
		if empty, err := isEmpty(ctx, admin, name); err == nil && empty {
			rest = append(rest, fmt.Sprintf("the old database was empty and is now called %s; "+
				"you can drop it: %s", name, drop))
		} else {
			rest = append(rest, fmt.Sprintf("the old database is now called %s; once you miss nothing in it: %s",
				name, drop))
		}
	}
	return rest
}

// isEmpty reports whether a database holds nothing but PostgreSQL's own objects.
func isEmpty(ctx context.Context, admin *pgx.Conn, database string) (empty bool, err error) {
	config := admin.Config()
	config.Database = database
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `
		WITH own AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
		SELECT NOT EXISTS (SELECT FROM own WHERE nspname <> 'public')
			AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace IN (SELECT oid FROM own))
			AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace IN (SELECT oid FROM own))
			AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace IN (SELECT oid FROM own))
			AND NOT EXISTS (SELECT FROM pg_largeobject_metadata)`).Scan(&empty)
	return empty, err
}
