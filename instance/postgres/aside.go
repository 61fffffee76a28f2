package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/remedy"
)

// vacant looks what stands under the final name. aside is where it must go, ""
// where nothing must.
func (l *load) vacant(ctx context.Context, admin *pgx.Conn) (aside string, err error) {
	var may bool
	err = admin.QueryRow(ctx, `SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = $1`, l.final).Scan(&may)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	empty, err := empty(ctx, admin, l.final)
	switch {
	case err != nil:
		return "", err
	case !empty && !l.replace:
		return "", &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("%s exists", l.db), Fix: "--replace renames it aside; nothing is ever dropped"}
	case !may:
		return "", &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("%s exists, and is another user's than %q", l.db, l.db.config.User),
			Fix: fmt.Sprintf("as PostgreSQL's superuser: ALTER DATABASE %s OWNER TO %s, so that it can be renamed aside", quoteName(l.final), quoteName(l.db.config.User))}
	}
	// A database that others are connected to can't be renamed. PostgreSQL ends its
	// own workers, which have no user.
	var others int
	err = admin.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usesysid IS NOT NULL AND coalesce(application_name, '') <> 'holdfast'`, l.final).Scan(&others)
	if err != nil {
		return "", err
	}
	if others > 0 {
		return "", &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("%s is in use, by %s", l.db, remedy.Plural(others, "connection")), Fix: "stop GoToSocial, and whoever else is connected to it"}
	}
	return asideName(l.final) + time.Now().UTC().Format("20060102_150405"), nil
}

// asideName begins the names of databases that a restore found in its way.
func asideName(database string) string { return short(database) + "_before_" }

// tellAside says of each database that was renamed aside, by whichever restore,
// what it is and how it goes. What can't be found out isn't said.
func (p *Database) tellAside(ctx context.Context) (rest []string) {
	admin, err := p.admin(ctx)
	if err != nil {
		return nil
	}
	defer admin.Close(context.WithoutCancel(ctx))
	rows, err := admin.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname`, asideName(p.config.Database))
	if err != nil {
		return nil
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil
	}
	for _, name := range names {
		drop := "DROP DATABASE " + quoteName(name)
		if empty, err := empty(ctx, admin, name); err == nil && empty {
			rest = append(rest, fmt.Sprintf("the database that was there before was empty; it is called %s now, and may go: %s", name, drop))
		} else {
			rest = append(rest, fmt.Sprintf("the database that was there before is called %s now; once you miss nothing that was in it: %s", name, drop))
		}
	}
	return rest
}

// empty reports whether nothing of anybody's is in a database.
func empty(ctx context.Context, admin *pgx.Conn, database string) (empty bool, err error) {
	config := admin.Config()
	config.Database = database
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `WITH own AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
		SELECT NOT EXISTS (SELECT FROM own WHERE nspname <> 'public') AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace IN (SELECT oid FROM own))
			AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace IN (SELECT oid FROM own)) AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace IN (SELECT oid FROM own))
			AND NOT EXISTS (SELECT FROM pg_largeobject_metadata)`).Scan(&empty)
	return empty, err
}
