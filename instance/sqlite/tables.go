package sqlite

import (
	"context"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/instance/gotosocial"
)

// Tables opens the tables at one moment.
func (d *Database) Tables(ctx context.Context, domain string) (gotosocial.Tables, error) {
	v, err := d.view(ctx, domain)
	if err != nil {
		return nil, err
	}
	return &Tables{conn: v.conn, db: d, order: gotosocial.ByRow}, nil
}

// OpenTables opens the tables of a file that no other process uses. A damaged file
// is a [remedy.DamageError].
func OpenTables(file, order string) (gotosocial.Tables, error) {
	c, err := open(file, readAlone)
	if err != nil {
		return nil, Damage(err)
	}
	return &Tables{conn: c, order: order}, nil
}

// Tables reads the tables of a SQLite file.
type Tables struct {
	conn  *conn
	db    *Database // nil unless the database is live
	order string
}

// explain adds a fix to an error of a live database. An error of a restored file may
// show damage.
func (t *Tables) explain(err error) error {
	if t.db != nil {
		return t.db.explain(err)
	}
	return Damage(err)
}

// Columns returns the columns of a table, and the order of the rows.
func (t *Tables) Columns(ctx context.Context, table string) (names []string, order string, err error) {
	err = t.conn.each(ctx, "SELECT name FROM pragma_table_info($1)", []string{table}, func(s *stmt) error {
		names = append(names, s.text(0))
		return nil
	})
	return names, t.order, t.explain(err)
}

// Each calls row for every row of a query.
func (t *Tables) Each(ctx context.Context, query string, args []string, use func([]*string) error) error {
	return t.explain(t.conn.each(ctx, query, args, func(s *stmt) error {
		values := make([]*string, sqlite3.Xsqlite3_column_count(s.conn.tls, s.handle))
		for i := range values {
			values[i] = s.value(int32(i))
		}
		return use(values)
	}))
}

// Close closes the connection.
func (t *Tables) Close() error { return t.conn.close() }

// value returns a column of the row as text, or nil for NULL. The text may hold
// zero bytes.
func (s *stmt) value(column int32) *string {
	if sqlite3.Xsqlite3_column_type(s.conn.tls, s.handle, column) == sqlite3.SQLITE_NULL {
		return nil
	}
	p := sqlite3.Xsqlite3_column_text(s.conn.tls, s.handle, column)
	text := string(libc.GoBytes(p, int(sqlite3.Xsqlite3_column_bytes(s.conn.tls, s.handle, column))))
	return &text
}
