package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/remedy"
)

// A connection pooler such as PgBouncer may lend the server's connections to its clients
// for one transaction at a time. Then settings that a client makes for its session reach
// the transactions of other clients: pg_dump's empty search_path would reach GoToSocial.

// poolerProbes is the number of looks at a pooler. In transaction mode, each look has a
// good chance to see another server process; 20 looks missed once in 60 backups.
const poolerProbes = 500

// checkPooler refuses a pooler that lends the server's connections for less than a
// session. conn is a connection of d. A server that answers itself costs one query. The
// caller explains an error of the server.
func (d *Database) checkPooler(ctx context.Context, conn *pgx.Conn) error {
	first, err := serverProcess(ctx, conn)
	if err != nil {
		return err
	}
	if first == conn.PgConn().PID() {
		return nil // a pooler would have told a number of its own
	}
	if err := execute(ctx, conn, "BEGIN; COMMIT"); err != nil {
		return d.refusePooler(err) // statement mode
	}
	// In session mode the pool may be too small for a second session.
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	second, err := d.connect(short)
	if err != nil {
		return ctx.Err()
	}
	defer second.Close(context.WithoutCancel(ctx))
	for range poolerProbes {
		other, err := serverProcess(short, second)
		if err != nil {
			return ctx.Err()
		}
		again, err := serverProcess(ctx, conn)
		if err != nil {
			return err
		}
		// A session keeps its server process, and shares the process with no other session.
		if again != first || other == first {
			return d.refusePooler(nil)
		}
	}
	return nil
}

// serverProcess returns the number of the server process that answers, by a transaction
// without any setting.
func serverProcess(ctx context.Context, conn *pgx.Conn) (pid uint32, err error) {
	// Below pgx: the role may set another encoding, which pgx refuses.
	results, err := conn.PgConn().Exec(ctx, "SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseUint(string(results[0].Rows[0][0]), 10, 32)
	return uint32(number), err
}

// refusePooler is the error of a pooler in transaction or statement mode. err is the
// cause, or nil.
func (d *Database) refusePooler(err error) error {
	if err == nil {
		err = errors.New("one session has several server processes")
	}
	return &remedy.Error{
		Kind: remedy.Refused,
		What: d.String() + " is a connection pooler in transaction mode", Err: err,
		Effect: "settings of Holdfast and pg_dump would reach the queries of the live server; " +
			"nothing was read or changed",
		Fix: "connect to the server itself: set instance.postgres to its HOST:PORT; " +
			"or set pool_mode = session for this database",
	}
}
