package sqlite_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	_ "modernc.org/sqlite"

	"holdfast/instance/gotosocial"
	"holdfast/instance/sqlite"
	"holdfast/internal/testkit"
	"holdfast/vault"
)

func TestMain(m *testing.M) {
	testkit.Main(m, map[string]func([]string) error{"server": serve})
}

// serve commits to the database as fast as possible, each transaction to two tables.
// The commits end with the process or with its input. serve prints their number
// after every 50.
func serve(args []string) error {
	db, err := sql.Open("sqlite", "file:"+args[0]+"?_txlock=immediate&_pragma=busy_timeout(60000)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	stop := make(chan struct{})
	go func() { io.Copy(io.Discard, os.Stdin); close(stop) }()
	for n := 1; ; n++ {
		if err := commit(db); err != nil {
			return err
		}
		if n%50 == 0 {
			fmt.Println(n)
		}
		select {
		case <-stop:
			return db.Close()
		default:
		}
	}
}

// commit makes one transaction. Each of the tables has the same number afterwards.
func commit(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	for _, statement := range []string{
		"INSERT INTO debit(n, pad) SELECT n+1, hex(randomblob(900)) FROM balance",
		"INSERT INTO credit(n) SELECT n+1 FROM balance",
		"UPDATE balance SET n=n+1, pad=hex(randomblob(300))",
	} {
		if _, err := tx.Exec(statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// server is another process that writes to the database.
type server struct{ *testkit.Process }

func startServer(t *testing.T, database string) server {
	t.Helper()
	return server{testkit.Start(t, testkit.Role("server", database))}
}

// commits waits for the next report of 50 commits.
func (s server) commits() { s.Line() }

// beyond waits until the server has made more than n commits.
func (s server) beyond(t *testing.T, n int64) {
	t.Helper()
	for {
		made, err := strconv.ParseInt(s.Line(), 10, 64)
		testkit.OK(t, err)
		if made > n {
			return
		}
	}
}

// used returns the folder of the recorded instance. Its database is in the journal
// mode, and has the tables of [serve].
func used(t testing.TB, journal string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	testkit.RecordedSQLite.Unpack(t, dir)
	db := testkit.OpenSQLite(t, filepath.Join(dir, "sqlite.db"), "")
	for _, statement := range []string{
		"PRAGMA journal_mode=" + journal,
		"CREATE TABLE debit (n INTEGER, pad TEXT)",
		"CREATE TABLE credit (n INTEGER UNIQUE)",
		"CREATE TABLE balance (n INTEGER, pad TEXT)",
		"INSERT INTO balance VALUES (0, '')",
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

// stored opens a sound database with the bytes.
func stored(t *testing.T, database []byte) *sql.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	testkit.OK(t, os.WriteFile(path, database, 0o600))
	db := testkit.OpenSQLite(t, path, "")
	if ok := testkit.Query[string](t, db, "PRAGMA integrity_check"); ok != "ok" {
		t.Fatalf("integrity_check: %s", ok)
	}
	return db
}
