package instance

import (
	"context"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Tables opens one consistent view of the tables.
func (d *sqliteFile) Tables(ctx context.Context, domain string) (Tables, error) {
	v, err := d.view(ctx, domain)
	if err != nil {
		return nil, err
	}
	return &sqliteTables{conn: v.conn, order: ByRow, explain: d.explain}, nil
}

// openSQLiteTables opens the tables of a file that no server uses.
func openSQLiteTables(file, order string) (Tables, error) {
	c, err := open(file, readAlone)
	if err != nil {
		return nil, damage(err)
	}
	return &sqliteTables{conn: c, order: order, explain: func(err error) error { return damage(err) }}, nil
}

// sqliteTables are those of a SQLite file.
type sqliteTables struct {
	conn    *conn
	order   string
	explain func(error) error
}

// Order is what rows are ordered by.
func (t *sqliteTables) Order() string { return t.order }

// Columns are the names of a table's columns.
func (t *sqliteTables) Columns(ctx context.Context, table string) (names []string, err error) {
	err = t.conn.each(ctx, "SELECT name FROM pragma_table_info($1)", []string{table}, func(s *stmt) error {
		names = append(names, s.text(0))
		return nil
	})
	return names, t.explain(err)
}

// Each calls use with every row of a query.
func (t *sqliteTables) Each(ctx context.Context, query string, args []string, use func([]*string) error) error {
	return t.explain(t.conn.each(ctx, query, args, func(s *stmt) error {
		values := make([]*string, sqlite3.Xsqlite3_column_count(s.tls, s.handle))
		for i := range values {
			values[i] = s.value(int32(i))
		}
		return use(values)
	}))
}

// Close ends the transaction.
func (t *sqliteTables) Close() error { return t.conn.close() }

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
