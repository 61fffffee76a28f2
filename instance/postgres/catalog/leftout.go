package catalog

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// LeftOut names what the database holds and no snapshot does. GoToSocial makes none of
// these objects.
func LeftOut(ctx context.Context, conn *pgx.Conn) (all []string, err error) {
	rows, err := conn.Query(ctx, `
		SELECT what FROM (
			SELECT 1, format('%s large object%s of the database', count(*), CASE WHEN count(*) > 1 THEN 's' END)
				FROM pg_largeobject_metadata HAVING count(*) > 0
			UNION ALL
			SELECT 2, format('the publication %I of the database', pubname) FROM pg_publication
			UNION ALL
			SELECT 3, format('the subscription %I of the database', subname) FROM pg_subscription
				WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
		) AS objects (kind, what) ORDER BY kind, what COLLATE "C"`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
