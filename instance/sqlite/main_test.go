package sqlite_test

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"holdfast/instance/gotosocial"
	"holdfast/instance/sqlite"
	"holdfast/internal/testkit"
	"holdfast/vault"
)

func TestMain(m *testing.M) {
	testkit.Main(m, map[string]func([]string) error{"writer": testkit.WriteSQLite})
}

// used returns the folder of the recorded instance. Its database is in the journal
// mode, and has the tables of [testkit.WriteSQLite].
func used(t testing.TB, journal string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	testkit.RecordedSQLite.Unpack(t, dir)
	db := testkit.OpenSQLite(t, filepath.Join(dir, "sqlite.db"), "")
	for _, statement := range []string{
		"PRAGMA journal_mode=" + journal,
		testkit.SQLiteTables,
	} {
		_, err := db.Exec(statement)
		testkit.OK(t, err)
	}
	testkit.OK(t, db.Close())
	return dir
}

// open opens the database of the configuration in a folder.
func open(t testing.TB, dir string) *sqlite.Database {
	t.Helper()
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	testkit.OK(t, err)
	db, err := sqlite.Open(c)
	testkit.OK(t, err)
	return db
}

func begin(t testing.TB, db *sqlite.Database) vault.View {
	t.Helper()
	v, err := db.Begin(t.Context(), "social.example.org")
	testkit.OK(t, err)
	t.Cleanup(func() { v.Close() })
	return v
}

// readDatabase returns all pages of a view. readDatabase calls between, unless nil,
// after each eighth of the pages.
func readDatabase(t *testing.T, v vault.View, between func()) []byte {
	t.Helper()
	r, err := v.OpenDatabase(t.Context(), "sqlite.db")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	size := v.Database()[0].Size
	var all bytes.Buffer
	for {
		n, err := io.CopyN(&all, r, size/8+1)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if between != nil && n > 0 {
			between()
		}
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("read past the end: %d, %v", n, err)
	}
	if int64(all.Len()) != size {
		t.Fatalf("read %d bytes, Size is %d", all.Len(), size)
	}
	return all.Bytes()
}
