package index

import "database/sql"

// OpenSQLite opens or makes an SQLite file with a write-ahead log, for one process.
// pragmas are added to the data source name: "&_pragma=NAME(VALUE)".
func OpenSQLite(path, pragmas string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+escape(path)+"?_txlock=immediate&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(10000)"+pragmas)
}

// Meaning adds ENOSPC to an error of SQLite that means a full disk.
func Meaning(err error) error { return meaning(err) }
