package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"holdfast/remedy"
)

// notReadable lists what a backup reads and this user may not, in part or at all.
// pg_dump locks every table, also those without rows of their own (partitioned).
const notReadable = `
	SELECT DISTINCT CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'schema ' || quote_ident(nspname)
			ELSE CASE relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || format('%I.%I', nspname, relname) END COLLATE "C" AS what,
		has_schema_privilege(n.oid, 'USAGE') AND CASE relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END AS may
	FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
	WHERE relkind IN ('r', 'p', 'S') AND relpersistence <> 't' AND nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT ` + ofExtension + `
		AND (row_security_active(c.oid) OR NOT has_schema_privilege(n.oid, 'USAGE')
			OR CASE relkind WHEN 'S' THEN NOT has_sequence_privilege(c.oid, 'SELECT') ELSE NOT has_table_privilege(c.oid, 'SELECT') END)
	ORDER BY what`

// readable refuses a user who may not read everything: else some table's turn
// would come in the middle of a night, and a sequence that can't be read looks like
// one that was never used.
func (v *View) readable(ctx context.Context) error {
	rows, err := v.conn.Query(ctx, notReadable)
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
		return &remedy.Error{Kind: remedy.Source, What: fmt.Sprintf("%s: user %q may not read %s", v.db, user, some(denied)), Err: errDenied, Fix: v.db.readFix()}
	case len(hidden) > 0:
		return &remedy.Error{Kind: remedy.Source, What: fmt.Sprintf("%s: user %q may not read every row of %s", v.db, user, some(hidden)), Err: errHidden,
			Fix: fmt.Sprintf("as PostgreSQL's superuser: ALTER ROLE %s BYPASSRLS", quoteName(user))}
	}
	return nil
}

var (
	errDenied = errors.New("permission denied")
	errHidden = errors.New("row level security hides some")
)

// readFix is what lets the user read everything.
func (p *Database) readFix() string {
	return fmt.Sprintf("as PostgreSQL's superuser: GRANT pg_read_all_data TO %s (PostgreSQL 14 and newer have it); better, use GoToSocial's own database user, who owns everything", quoteName(p.config.User))
}

// some names a few of many.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
