package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/postgres/psql"
)

// Extension is one of the database's extensions.
type Extension struct {
	name, schema string
	// needed is true if the extension came with PostgreSQL (plpgsql), or if other
	// parts of the schema depend on the extension.
	needed bool
}

// firstObject is the lowest OID after those that initdb assigns:
// FirstNormalObjectId in PostgreSQL's source.
const firstObject = 16384

// Extensions lists the extensions in the order of their names. Most
// extensions serve the server's administrator (pg_stat_statements), not GoToSocial.
func Extensions(ctx context.Context, conn *pgx.Conn) ([]Extension, error) {
	rows, err := conn.Query(ctx, `
		WITH RECURSIVE part (ext, classid, objid) AS (
			-- an extension, what it brought, and what is a part of that, such as a view's rule
			SELECT oid, 'pg_extension'::regclass::oid, oid FROM pg_extension
			UNION
			SELECT ext, d.classid, d.objid FROM part
				JOIN pg_depend d ON d.refclassid = part.classid AND d.refobjid = part.objid
				AND d.deptype IN ('e', 'i', 'a')
		), needed (ext) AS (
			SELECT oid FROM pg_extension WHERE oid < $1
			UNION
			SELECT part.ext FROM part JOIN pg_depend d ON d.refclassid = part.classid AND d.refobjid = part.objid
			WHERE (d.classid, d.objid) NOT IN (SELECT classid, objid FROM part)
			UNION
			-- an extension that another one is built on
			SELECT d.refobjid FROM needed JOIN pg_depend d ON d.classid = 'pg_extension'::regclass
				AND d.objid = needed.ext AND d.refclassid = 'pg_extension'::regclass
		)
		SELECT extname::text, nspname::text, e.oid IN (SELECT ext FROM needed)
		FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace ORDER BY extname COLLATE "C"`, firstObject)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Extension, err error) {
		err = row.Scan(&e.name, &e.schema, &e.needed)
		return e, err
	})
}

// HasExtras reports whether some extensions are not needed.
func HasExtras(all []Extension) bool {
	return slices.ContainsFunc(all, func(e Extension) bool { return !e.needed })
}

// OnlyNeeded returns the arguments by which pg_dump leaves out all extras. Without
// extras there are no arguments.
func OnlyNeeded(all []Extension) (args []string) {
	if !HasExtras(all) {
		return nil
	}
	for _, e := range all {
		if e.needed {
			args = append(args, "--extension="+psql.QuoteName(e.name))
		}
	}
	return args
}

// ExtensionScript returns the SQL that makes the extras, one line for each.
func ExtensionScript(all []Extension) string {
	var b strings.Builder
	for _, e := range all {
		if !e.needed {
			fmt.Fprintf(&b, "CREATE EXTENSION IF NOT EXISTS %s WITH SCHEMA %s CASCADE;\n", psql.QuoteName(e.name),
				psql.QuoteName(e.schema))
		}
	}
	return b.String()
}
