package sqlite

import (
	"context"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/instance/gotosocial"
)

// Tables opens one consistent view of the tables.
func (d *Database) Tables(ctx context.Context, domain string) (gotosocial.Tables, error) {
	v, err := d.view(ctx, domain)
	if err != nil {
		return nil, err
	}
	return &Tables{conn: v.conn, order: gotosocial.ByRow, explain: d.explain}, nil
}

// OpenTables opens the tables of a file that no server uses.
func OpenTables(file, order string) (gotosocial.Tables, error) {
	c, err := open(file, readAlone)
	if err != nil {
		return nil, Damage(err)
	}
	return &Tables{conn: c, order: order, explain: func(err error) error { return Damage(err) }}, nil
}

// Tables are those of a SQLite file.
type Tables struct {
	conn    *conn
	order   string
	explain func(error) error
}

// Order is what rows are ordered by.
func (t *Tables) Order() string { return t.order }

// Columns are the names of a table's columns.
func (t *Tables) Columns(ctx context.Context, table string) (names []string, err error) {
	err = t.conn.each(ctx, "SELECT name FROM pragma_table_info($1)", []string{table}, func(s *stmt) error {
		names = append(names, s.text(0))
		return nil
	})
	return names, t.explain(err)
}

// Each calls use with every row of a query.
func (t *Tables) Each(ctx context.Context, query string, args []string, use func([]*string) error) error {
	return t.explain(t.conn.each(ctx, query, args, func(s *stmt) error {
		values := make([]*string, sqlite3.Xsqlite3_column_count(s.tls, s.handle))
		for i := range values {
			values[i] = s.value(int32(i))
		}
		return use(values)
	}))
}

// Close ends the transaction.
func (t *Tables) Close() error { return t.conn.close() }

// value is a column of the row as text, whole even where it holds zero bytes;
// nil is NULL.
func (s *stmt) value(column int32) *string {
	if sqlite3.Xsqlite3_column_type(s.tls, s.handle, column) == sqlite3.SQLITE_NULL {
		return nil
	}
	p := sqlite3.Xsqlite3_column_text(s.tls, s.handle, column)
	text := string(libc.GoBytes(p, int(sqlite3.Xsqlite3_column_bytes(s.tls, s.handle, column))))
	return &text
}
