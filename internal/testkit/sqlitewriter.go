package testkit

import (
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// SQLiteTables makes the tables that [WriteSQLite] writes to. The two tables debit and
// credit agree only at the end of a transaction.
const SQLiteTables = `
CREATE TABLE debit (n INTEGER, pad TEXT);
CREATE TABLE credit (n INTEGER UNIQUE);
CREATE TABLE balance (n INTEGER, pad TEXT);
INSERT INTO balance VALUES (0, '');
`

// WriteSQLite is a role for [Main]: the process commits to the database args[0] as fast
// as possible, and ends with its input. WriteSQLite prints the number of commits after
// every 50.
func WriteSQLite(args []string) error {
	db, err := sql.Open("sqlite", "file:"+args[0]+"?_txlock=immediate&_pragma=busy_timeout(60000)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	stop := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(stop) }()
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

// SQLiteWriter is a process in the role of [WriteSQLite].
type SQLiteWriter struct{ *Process }

// StartSQLiteWriter starts cmd, a process in the role of [WriteSQLite].
func StartSQLiteWriter(t testing.TB, cmd *exec.Cmd) SQLiteWriter {
	t.Helper()
	return SQLiteWriter{Start(t, cmd)}
}

// Commits waits for the next report of 50 commits.
func (w SQLiteWriter) Commits() { w.Line() }

// Beyond waits until the process has made more than n commits.
func (w SQLiteWriter) Beyond(t testing.TB, n int64) {
	t.Helper()
	for {
		made, err := strconv.ParseInt(w.Line(), 10, 64)
		OK(t, err)
		if made > n {
			return
		}
	}
}
