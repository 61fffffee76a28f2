// Package catalog lists, by PostgreSQL's catalog, what a backup of a database holds: tables,
// extensions and event triggers.
package catalog

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// EventTriggers returns the SQL that makes the database's event triggers, one line for
// each. The event triggers of an extension come with the extension.
func EventTriggers(ctx context.Context, conn *pgx.Conn) (sql string, err error) {
	const lines = `
		SELECT coalesce(string_agg(line || E'\n', '' ORDER BY evtname COLLATE "C"), '') FROM (
			SELECT evtname, format('CREATE EVENT TRIGGER %I ON %I%s EXECUTE FUNCTION %I.%I();', evtname, evtevent,
				(SELECT ' WHEN TAG IN (' || string_agg(quote_literal(tag), ', ' ORDER BY n) || ')'
					FROM unnest(evttags) WITH ORDINALITY AS tags (tag, n)), nspname, proname)
				|| CASE evtenabled WHEN 'O' THEN '' ELSE format(' ALTER EVENT TRIGGER %I %s;', evtname,
					CASE evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END)
					END AS line
			FROM pg_event_trigger e JOIN pg_proc p ON p.oid = evtfoid JOIN pg_namespace n ON n.oid = pronamespace
			WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass
				AND d.objid = e.oid AND d.deptype = 'e')
		) AS triggers WHERE line !~ '[\n\r]'`
	err = conn.QueryRow(ctx, lines).Scan(&sql)
	return sql, err
}
