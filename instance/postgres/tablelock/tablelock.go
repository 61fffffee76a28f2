// Package tablelock keeps migrations away from the tables while a backup reads them. If another
// session holds a table, the package names the session.
package tablelock

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"holdfast/instance/postgres/catalog"
)

// Wait says how long [Take] waits, and how Take finds out who holds a table.
type Wait struct {
	Limit    time.Duration // of the whole wait: the setting lock_wait
	Database string        // the name of the database in an error
	Connect  func(context.Context) (*pgx.Conn, error)
}

// firstWord is how long a backup waits for a lock in silence.
const firstWord = 5 * time.Second

// Take locks all tables until the transaction of conn ends. If another session holds a
// table, the log says so, and after the limit the error is [remedy.Busy].
func Take(ctx context.Context, conn *pgx.Conn, w Wait) error {
	var names string
	const list = `SELECT coalesce(string_agg(name, ', '), '')
		FROM (SELECT format('%I.%I', n.nspname, c.relname) AS name ` + catalog.OwnTables + `) AS t`
	if err := conn.QueryRow(ctx, list).Scan(&names); err != nil || names == "" {
		return err
	}
	waiting := conn.PgConn().PID()
	g, gctx := errgroup.WithContext(ctx)
	locked := make(chan struct{})
	g.Go(func() error {
		defer close(locked)
		_, err := conn.Exec(gctx, "LOCK TABLE "+names+" IN ACCESS SHARE MODE")
		return err
	})
	g.Go(func() error { return w.watch(gctx, waiting, locked) })
	return g.Wait()
}

// watch tells what the session with the number waiting waits for, unless the wait is short.
func (w Wait) watch(ctx context.Context, waiting uint32, locked <-chan struct{}) error {
	silent := min(firstWord, w.Limit)
	if done, err := await(ctx, locked, silent); done {
		return err
	}
	held, err := w.holder(ctx, waiting)
	if err != nil {
		return err
	}
	if held.blocks {
		slog.WarnContext(ctx, "wait for a lock of another session", "table", held.table, "holder", held,
			"query", held.query, "at_most", w.Limit)
	}
	// A lock may become free between the limit and the question: then the last pause is enough.
	for _, pause := range []time.Duration{w.Limit - silent, firstWord} {
		if done, err := await(ctx, locked, pause); done {
			return err
		}
		if held, err = w.holder(ctx, waiting); err != nil {
			return err
		}
		if held.blocks {
			break
		}
	}
	return w.tooLong(held)
}

// await waits for the locks. done is false if the pause ends first.
func await(ctx context.Context, locked <-chan struct{}, pause time.Duration) (done bool, err error) {
	select {
	case <-locked:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	case <-time.After(pause):
		return false, nil
	}
}
