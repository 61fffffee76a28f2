package catalog

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/postgres/psql"
)

// Paths compares the search path of the session with that of another user, who may have a
// schema of the user's own name with GoToSocial's tables: that schema comes first in the
// usual path. theirs is "" if both users read the same tables.
func Paths(ctx context.Context, conn *pgx.Conn, user string) (ours, theirs string, err error) {
	const query = `
		SELECT current_setting('search_path'), COALESCE((
			SELECT substr(text, length('search_path=') + 1)
			FROM pg_db_role_setting, unnest(setconfig) AS text
			WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = $1) AND text LIKE 'search_path=%'
				AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
			ORDER BY setdatabase DESC LIMIT 1), ''),
			EXISTS (SELECT FROM pg_class c, pg_namespace n WHERE n.oid = relnamespace AND nspname = $1
				AND relname = 'accounts' AND c.oid IS DISTINCT FROM to_regclass('accounts'))`
	var hasSchema bool
	err = conn.QueryRow(ctx, query, user).Scan(&ours, &theirs, &hasSchema)
	if err != nil || theirs == ours || theirs == "" && !hasSchema {
		return ours, "", err
	}
	return ours, cmp.Or(theirs, psql.QuoteName(user)+", public"), nil
}
