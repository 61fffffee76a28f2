package tablelock

import (
	"cmp"
	"context"
	"fmt"

	"holdfast/remedy"
)

// holder is a session or a prepared transaction with a lock for which another session waits.
// The zero holder means: no session waits any more.
type holder struct {
	blocks   bool
	table    string
	pid      int    // 0 for a prepared transaction
	query    string // the outline of the session's query
	prepared string // the quoted name of a prepared transaction, or ""
}

// holder asks, by a connection of its own, for whom the session with the number waiting waits.
func (w Wait) holder(ctx context.Context, waiting uint32) (h holder, err error) {
	conn, err := w.Connect(ctx)
	if err != nil {
		return h, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// A prepared transaction counts as process 0. The server's answer may change at any time, so the
	// query asks once. A session that itself waits is no holder: the holder is at the end of the
	// queue.
	const query = `WITH RECURSIVE queue AS (
				SELECT 0 AS n, b AS pid FROM unnest(pg_blocking_pids($1)) AS b
				UNION SELECT n + 1, b FROM queue, unnest(pg_blocking_pids(pid)) AS b WHERE n < 10),
			blocker AS MATERIALIZED (SELECT max(n) IS NOT NULL AS blocks,
				(array_agg(pid ORDER BY n DESC, pid))[1] AS pid FROM queue),
			wanted AS MATERIALIZED (SELECT * FROM pg_locks
				WHERE pid = $1 AND NOT granted AND relation IS NOT NULL LIMIT 1)
		SELECT blocks, coalesce((SELECT relation::regclass::text FROM wanted), 'unknown'),
			coalesce(pid, 0),
			coalesce((SELECT left(query, 1000) FROM pg_stat_activity AS a WHERE a.pid = blocker.pid), ''),
			coalesce((SELECT quote_literal(p.gid) FROM pg_prepared_xacts AS p
				JOIN pg_locks AS own ON own.pid IS NULL AND own.transactionid = p.transaction
				JOIN pg_locks AS held ON held.pid IS NULL AND held.virtualtransaction = own.virtualtransaction
				JOIN wanted ON wanted.database = held.database AND wanted.relation = held.relation
				WHERE blocker.pid = 0 LIMIT 1), '')
		FROM blocker`
	err = conn.QueryRow(ctx, query, waiting).Scan(&h.blocks, &h.table, &h.pid, &h.query, &h.prepared)
	h.table, h.prepared = remedy.Printable(h.table), remedy.Printable(h.prepared)
	h.query = remedy.Printable(outline(h.query))
	return h, err
}

// String names the holder.
func (h holder) String() string {
	if h.pid == 0 {
		return "a prepared transaction"
	}
	return fmt.Sprintf("process %d", h.pid)
}

// tooLong is the error of a backup that waited up to the limit.
func (w Wait) tooLong(held holder) error {
	e := &remedy.Error{Kind: remedy.Busy,
		What: fmt.Sprintf("%s: for %s, %s kept table %s locked", w.Database, w.Limit, held, held.table)}
	switch {
	case !held.blocks:
		e.What = fmt.Sprintf("%s: for %s, Holdfast could not lock the tables", w.Database, w.Limit)
		e.Fix = "no session holds a table any more: run the command again"
	case held.pid == 0:
		e.Fix = "a prepared transaction has no session, and outlives a restart: end the transaction in the database: " +
			"COMMIT PREPARED or ROLLBACK PREPARED " +
			cmp.Or(held.prepared, "with a name from SELECT gid FROM pg_prepared_xacts")
	default:
		if held.query != "" {
			e.What += ": " + held.query
		}
		e.Fix = fmt.Sprintf("let that session end; if the session hangs, as PostgreSQL's superuser: "+
			"SELECT pg_terminate_backend(%d); instance.lock_wait sets how long a backup waits", held.pid)
	}
	return e
}
