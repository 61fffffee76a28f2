package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/postgres/catalog"
	"holdfast/instance/postgres/psql"
	"holdfast/remedy"
)

// unreadable lists the schemas, tables and sequences of a backup that the user may
// not read completely. Partitioned tables count: pg_dump locks them too.
const unreadable = `
	SELECT DISTINCT CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'schema ' || quote_ident(nspname)
			ELSE CASE relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END
				|| format('%I.%I', nspname, relname) END COLLATE "C" AS what,
		has_schema_privilege(n.oid, 'USAGE') AND CASE relkind
			WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END AS may
	FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
	WHERE relkind IN ('r', 'p', 'S') AND relpersistence <> 't'
		AND nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT ` + catalog.OfExtension + `
		AND (row_security_active(c.oid) OR NOT has_schema_privilege(n.oid, 'USAGE')
			OR CASE relkind WHEN 'S' THEN NOT has_sequence_privilege(c.oid, 'SELECT')
				ELSE NOT has_table_privilege(c.oid, 'SELECT') END)
	ORDER BY what`

// checkRights refuses a user who may not read everything. Without the check a
// backup could fail after hours, and an unreadable sequence would look unused.
func (v *View) checkRights(ctx context.Context) error {
	rows, err := v.conn.Query(ctx, unreadable)
	if err != nil {
		return err
	}
	var denied, hidden []string
	var what string
	var may bool
	_, err = pgx.ForEachRow(rows, []any{&what, &may}, func() error {
		if may {
			hidden = append(hidden, what)
		} else {
			denied = append(denied, what)
		}
		return nil
	})
	user := v.db.config.User
	switch {
	case err != nil:
		return err
	case len(denied) > 0:
		return &remedy.Error{
			Kind: remedy.Source, What: fmt.Sprintf("%s: user %q may not read %s", v.db, user, firstOf(denied)),
			Err: errDenied, Fix: v.db.fixReading(),
		}
	case len(hidden) > 0:
		return &remedy.Error{
			Kind: remedy.Source, Err: errHidden,
			What: fmt.Sprintf("%s: user %q may not read every row of %s", v.db, user, firstOf(hidden)),
			Fix:  fmt.Sprintf("as PostgreSQL's superuser: ALTER ROLE %s BYPASSRLS", psql.QuoteName(user)),
		}
	}
	return nil
}

var (
	errDenied = errors.New("permission denied")
	errHidden = errors.New("row level security hides rows")
)

// firstOf joins the first five names and counts the rest.
func firstOf(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
