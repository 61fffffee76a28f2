package testkit

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
)

// OpenSQLite opens a database file for the length of the test, with at most one
// connection. The parameters are parameters of the driver, like
// "mode=ro&immutable=1". The caller's package imports the driver "sqlite".
func OpenSQLite(t testing.TB, path, parameters string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?"+parameters)
	OK(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// Query returns the only column of the only row of a query.
func Query[T any](t testing.TB, db *sql.DB, query string) (value T) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// OpenSQLiteBytes writes the bytes of a database into a new file, checks the integrity
// of the database, and opens the file as [OpenSQLite] does.
func OpenSQLiteBytes(t testing.TB, database []byte) *sql.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	OK(t, os.WriteFile(path, database, 0o600))
	db := OpenSQLite(t, path, "")
	if ok := Query[string](t, db, "PRAGMA integrity_check"); ok != "ok" {
		t.Fatalf("integrity_check: %s", ok)
	}
	return db
}
