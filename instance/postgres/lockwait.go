package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/instance/postgres/catalog"
	"holdfast/remedy"
)

// firstWord is how long a backup waits for a lock in silence.
const firstWord = 5 * time.Second

// lockTables keeps migrations away from the tables until the view is closed. If another
// session holds a table, the log says so, and after the setting lock_wait the error is
// [remedy.Busy].
func (v *View) lockTables(ctx context.Context) error {
	var names string
	const list = `SELECT coalesce(string_agg(name, ', '), '')
		FROM (SELECT format('%I.%I', n.nspname, c.relname) AS name ` + catalog.OwnTables + `) AS t`
	if err := v.conn.QueryRow(ctx, list).Scan(&names); err != nil || names == "" {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	locked := make(chan struct{})
	g.Go(func() error {
		defer close(locked)
		_, err := v.conn.Exec(gctx, "LOCK TABLE "+names+" IN ACCESS SHARE MODE")
		return err
	})
	g.Go(func() error { return v.watchLock(gctx, locked) })
	return g.Wait()
}

// watchLock tells what the view's connection waits for, unless the wait is short.
func (v *View) watchLock(ctx context.Context, locked <-chan struct{}) error {
	wait := v.db.lockWait
	select {
	case <-locked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(firstWord, wait)):
	}
	held, err := v.holder(ctx)
	if err != nil {
		return err
	}
	slog.WarnContext(ctx, "wait for a lock of another session", "table", held.table, "process", held.pid,
		"query", held.query, "at_most", wait)
	select {
	case <-locked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait - min(firstWord, wait)):
	}
	if held, err = v.holder(ctx); err != nil {
		return err
	}
	return &remedy.Error{
		Kind: remedy.Busy,
		What: fmt.Sprintf("%s: for %s, process %d kept table %s locked: %s",
			v.db, wait, held.pid, held.table, held.query),
		Fix: fmt.Sprintf("let that session end; if the session hangs, as PostgreSQL's superuser: "+
			"SELECT pg_terminate_backend(%d); instance.lock_wait sets how long a backup waits", held.pid),
	}
}

// holder is a session with a lock for which another session waits.
type holder struct {
	table, query string
	pid          int
}

// maxQuery bounds the text of another session's query, in bytes.
const maxQuery = 100

// holder asks, by a connection of its own, for whom the view's connection waits.
func (v *View) holder(ctx context.Context) (h holder, err error) {
	conn, err := v.db.connect(ctx)
	if err != nil {
		return h, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const query = `SELECT coalesce((SELECT relation::regclass::text FROM pg_locks
			WHERE pid = $1 AND NOT granted AND relation IS NOT NULL LIMIT 1), 'unknown'),
		coalesce((SELECT b FROM unnest(pg_blocking_pids($1)) AS b LIMIT 1), 0),
		coalesce((SELECT query FROM pg_stat_activity WHERE pid = (pg_blocking_pids($1))[1]), '')`
	err = conn.QueryRow(ctx, query, v.conn.PgConn().PID()).Scan(&h.table, &h.pid, &h.query)
	h.query = remedy.Printable(fmt.Sprintf("%.*s", maxQuery, h.query))
	return h, err
}
