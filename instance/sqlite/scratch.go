package sqlite

import (
	"database/sql"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Create makes a SQLite file for this run alone: nothing in it is durable.
func Create(path string) (*sql.DB, error) {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, err
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)"}
	return sql.Open("sqlite", name.String())
}
