package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/remedy"
)

// patience is how long a restore waits for another restore of the same database.
const patience = "10s"

// lock locks the database's name for as long as admin is connected. PostgreSQL may
// still hold the lock of a killed restore: PostgreSQL notices the end soon, unless
// the network broke.
func (d *Database) lock(ctx context.Context, admin *pgx.Conn) error {
	const key = `hashtext('holdfast ' || $1)`
	name := d.config.Database
	var free bool
	if err := admin.QueryRow(ctx, `SELECT pg_try_advisory_lock(`+key+`)`, name).Scan(&free); err != nil || free {
		return err
	}
	slog.WarnContext(ctx, "wait for another restore of the database, or for PostgreSQL to notice the end of a "+
		"killed restore",
		"database", name, "at_most", patience)
	if err := execute(ctx, admin, "SET lock_timeout = '"+patience+"'"); err != nil {
		return err
	}
	_, err := admin.Exec(ctx, `SELECT pg_advisory_lock(`+key+`)`, name)
	if server := (*pgconn.PgError)(nil); !errors.As(err, &server) || server.Code != "55P03" {
		return errors.Join(err, execute(ctx, admin, "SET lock_timeout = DEFAULT"))
	}
	held := &remedy.Error{Kind: remedy.Busy, What: fmt.Sprintf("another restore is at work at %s", d),
		Fix: "wait until the other restore ends"}
	var pid int
	err = admin.QueryRow(ctx, `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND (classid::bigint << 32 | objid::bigint) = `+key, name).Scan(&pid)
	if err == nil {
		held.Fix += fmt.Sprintf("; if the other restore was killed and PostgreSQL has not noticed, "+
			"as PostgreSQL's superuser: SELECT pg_terminate_backend(%d)", pid)
	}
	return held
}
