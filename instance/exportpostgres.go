package instance

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// look opens one consistent view of the tables.
func (p *postgres) look(ctx context.Context, host string, use func(tables) error) error {
	v, err := p.view(ctx)
	if err != nil {
		return err
	}
	defer v.Close()
	if err := v.describe(ctx, host); err != nil {
		return p.explain(err)
	}
	return use(pgTables{p, v.conn})
}

// pgTables are those that a connection sees in its transaction.
type pgTables struct {
	db   *postgres
	conn *pgx.Conn
}

// byID is an order that VACUUM and updates don't change, and a snapshot's rows
// can be brought into.
const byID = "id"

func (t pgTables) order() string { return byID }

func (t pgTables) columns(ctx context.Context, table string) (names []string, err error) {
	err = t.each(ctx, "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
		[]string{table}, func(values []*string) error {
			names = append(names, *values[0])
			return nil
		})
	return names, err
}

func (t pgTables) each(ctx context.Context, query string, args []string, use func([]*string) error) error {
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
