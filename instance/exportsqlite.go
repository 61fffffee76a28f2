package instance

import (
	"context"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// look opens one consistent view of the tables.
func (d *sqliteFile) look(ctx context.Context, host string, use func(tables) error) error {
	v, err := d.begin(ctx, host)
	if err != nil {
		return err
	}
	defer v.Close()
	return d.explain(use(sqliteTables{v.(*sqliteView).conn, asTheyLie}))
}

// sqliteTables are those of a SQLite file.
type sqliteTables struct {
	conn *conn
	by   string
}

// asTheyLie is the order of rows in GoToSocial's own file, and so that of its
// own export.
const asTheyLie = "rowid"

func (t sqliteTables) order() string { return t.by }

func (t sqliteTables) columns(ctx context.Context, table string) (names []string, err error) {
	err = t.conn.each(ctx, "SELECT name FROM pragma_table_info($1)", []string{table}, func(s *stmt) error {
		names = append(names, s.text(0))
		return nil
	})
	return names, err
}

func (t sqliteTables) each(ctx context.Context, query string, args []string, use func([]*string) error) error {
	return t.conn.each(ctx, query, args, func(s *stmt) error {
		values := make([]*string, sqlite3.Xsqlite3_column_count(s.tls, s.handle))
		for i := range values {
			values[i] = s.value(int32(i))
		}
		return use(values)
	})
}

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
