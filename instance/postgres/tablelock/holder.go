package tablelock

import (
	"context"
	"fmt"

	"holdfast/remedy"
)

// holder is a session with a lock for which another session waits.
type holder struct {
	table, query string
	pid          int
}

// maxQuery bounds the text of another session's query, in bytes.
const maxQuery = 100

// holder asks, by a connection of its own, for whom the session with the number waiting waits.
func (w Wait) holder(ctx context.Context, waiting uint32) (h holder, err error) {
	conn, err := w.Connect(ctx)
	if err != nil {
		return h, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const query = `SELECT coalesce((SELECT relation::regclass::text FROM pg_locks
			WHERE pid = $1 AND NOT granted AND relation IS NOT NULL LIMIT 1), 'unknown'),
		coalesce((SELECT b FROM unnest(pg_blocking_pids($1)) AS b LIMIT 1), 0),
		coalesce((SELECT query FROM pg_stat_activity WHERE pid = (pg_blocking_pids($1))[1]), '')`
	err = conn.QueryRow(ctx, query, waiting).Scan(&h.table, &h.pid, &h.query)
	h.query = remedy.Printable(fmt.Sprintf("%.*s", maxQuery, h.query))
	return h, err
}

// tooLong is the error of a backup that waited up to the limit.
func (w Wait) tooLong(held holder) error {
	return &remedy.Error{
		Kind: remedy.Busy,
		What: fmt.Sprintf("%s: for %s, process %d kept table %s locked: %s",
			w.Database, w.Limit, held.pid, held.table, held.query),
		Fix: fmt.Sprintf("let that session end; if the session hangs, as PostgreSQL's superuser: "+
			"SELECT pg_terminate_backend(%d); instance.lock_wait sets how long a backup waits", held.pid),
	}
}
