package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/gotosocial"
)

// Tables opens the tables at one moment.
func (d *Database) Tables(ctx context.Context, domain string) (gotosocial.Tables, error) {
	v, err := d.view(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.findTables(ctx); err != nil {
		return nil, errors.Join(v.db.explain(err), v.Close())
	}
	if err := v.lockTables(ctx); err != nil {
		return nil, errors.Join(v.db.explain(err), v.Close())
	}
	if err := v.describe(ctx, domain); err != nil {
		return nil, errors.Join(v.db.explain(err), v.Close())
	}
	return &Rows{d, v.conn}, nil
}

// Rows reads the rows of tables that a connection sees in its transaction.
type Rows struct {
	db   *Database
	conn *pgx.Conn
}

// Columns returns the columns of a table, and the order ByID.
func (r *Rows) Columns(ctx context.Context, table string) (names []string, order string, err error) {
	const columns = `SELECT attname FROM pg_attribute
		WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`
	err = r.Each(ctx, columns, []string{table}, func(values []*string) error {
		names = append(names, *values[0])
		return nil
	})
	return names, gotosocial.ByID, err
}

// Each calls row for every row of a query.
func (r *Rows) Each(ctx context.Context, query string, args []string, row func([]*string) error) error {
	// By the simple protocol values come as text, as COPY prints them.
	all := []any{pgx.QueryExecModeSimpleProtocol}
	for _, arg := range args {
		all = append(all, arg)
	}
	rows, err := r.conn.Query(ctx, query, all...)
	if err != nil {
		return r.db.explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		values := make([]*string, len(rows.RawValues()))
		for i, raw := range rows.RawValues() {
			if raw != nil {
				text := string(raw)
				values[i] = &text
			}
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return r.db.explain(rows.Err())
}

// Close ends the transaction.
func (r *Rows) Close() error { return r.conn.Close(context.Background()) }
