// Package check drops check constraints for the time of a load, and makes them again. A check
// constraint may depend on the current time: then PostgreSQL refuses rows that the old database
// took long ago.
package check

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// breaks are the codes of a check constraint: the constraint is false (23514), or its
// function raises an exception (P0001) or finds no row (P0002).
var breaks = []string{"23514", "P0001", "P0002"}

// IsBroken reports whether a row breaks a check constraint.
func IsBroken(err error) bool { return is(err, breaks...) }

// is reports whether the server's error has one of the codes.
func is(err error, codes ...string) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && slices.Contains(codes, server.Code)
}

// Constraint is a check constraint that [Drop] dropped.
type Constraint struct {
	Of    string // a table or a domain: `table "my table"`
	Name  string // quoted
	add   string // SQL that makes the constraint again, and reads no row
	valid bool   // the old database checked all rows
}

// Drop drops the check constraints of tables, of the tables that they inherit from, and of the
// domains that are types of their columns.
func Drop(ctx context.Context, conn *pgx.Conn, tables []string) ([]Constraint, error) {
	const query = `WITH RECURSIVE tables AS (SELECT unnest($1::text[])::regclass::oid AS oid
			UNION SELECT inhparent FROM pg_inherits JOIN tables ON inhrelid = tables.oid)
		SELECT owner, quote_ident(conname),
			format('ALTER %s ADD CONSTRAINT %I %s %s; COMMENT ON CONSTRAINT %2$I ON %5$s IS %6$L',
				owner, conname, pg_get_constraintdef(oid), CASE WHEN convalidated THEN 'NOT VALID' END,
				regexp_replace(owner, '^table ', ''), obj_description(oid, 'pg_constraint')),
			convalidated
		FROM pg_constraint, concat_ws(' ', CASE WHEN contypid = 0 THEN 'table' ELSE 'domain' END,
			nullif(conrelid, 0)::regclass, nullif(contypid, 0)::regtype) AS owner
		WHERE contype = 'c' AND (coninhcount = 0 AND conrelid IN (SELECT oid FROM tables)
			OR contypid IN (SELECT atttypid FROM pg_attribute WHERE attrelid IN (SELECT oid FROM tables)))
		ORDER BY 1, 2`
	rows, err := conn.Query(ctx, query, tables)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Constraint, err error) {
		return c, row.Scan(&c.Of, &c.Name, &c.add, &c.valid)
	})
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if err := execute(ctx, conn, "ALTER "+c.Of+" DROP CONSTRAINT "+c.Name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// unsupported is the code of a look at the rows that PostgreSQL lacks: a column has arrays of the
// domain.
const unsupported = "0A000"

// Add makes the constraints again, and returns the constraints that PostgreSQL does not confirm
// for all rows. Such a constraint holds for new and changed rows alone.
func Add(ctx context.Context, conn *pgx.Conn, all []Constraint) (open []Constraint, err error) {
	for _, c := range all {
		if err := execute(ctx, conn, c.add); err != nil {
			return nil, err
		}
		if !c.valid {
			continue
		}
		err := execute(ctx, conn, "ALTER "+c.Of+" VALIDATE CONSTRAINT "+c.Name)
		if err != nil && !IsBroken(err) && !is(err, unsupported) {
			return nil, err
		}
		if err != nil {
			open = append(open, c)
		}
	}
	return open, nil
}

func execute(ctx context.Context, conn *pgx.Conn, statements string) error {
	_, err := conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol)
	return err
}
