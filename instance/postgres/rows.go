package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/gotosocial"
)

// Tables opens one consistent view of the tables.
func (p *Database) Tables(ctx context.Context, domain string) (gotosocial.Tables, error) {
	v, err := p.view(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.describe(ctx, domain); err != nil {
		return nil, errors.Join(p.explain(err), v.Close())
	}
	return &Rows{p, v.conn}, nil
}

// Rows are those that a connection sees in its transaction.
type Rows struct {
	db   *Database
	conn *pgx.Conn
}

// Order is what rows are ordered by.
func (t *Rows) Order() string { return gotosocial.ByID }

// Columns are the names of a table's columns.
func (t *Rows) Columns(ctx context.Context, table string) (names []string, err error) {
	err = t.Each(ctx, "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
		[]string{table}, func(values []*string) error {
			names = append(names, *values[0])
			return nil
		})
	return names, err
}

// Close ends the transaction.
func (t *Rows) Close() error { return t.conn.Close(context.Background()) }

// Each calls use with every row of a query.
func (t *Rows) Each(ctx context.Context, query string, args []string, use func([]*string) error) error {
	// By this protocol values come as text, the same that COPY prints.
	all := []any{pgx.QueryExecModeSimpleProtocol}
	for _, arg := range args {
		all = append(all, arg)
	}
	rows, err := t.conn.Query(ctx, query, all...)
	if err != nil {
		return t.db.explain(err)
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
		if err := use(values); err != nil {
			return err
		}
	}
	return t.db.explain(rows.Err())
}
