package sample

import (
	"database/sql"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// schema.sql and migrations.txt come from a database of GoToSocial: all tables,
// indexes and views, and the names in bun_migrations.
var (
	//go:embed schema.sql
	schema string
	//go:embed migrations.txt
	migrations string
)

// open connects to an existing file as GoToSocial does. There is one connection:
// the seed alone decides the order of writes, and so every byte. At the close of
// the last connection SQLite moves the write-ahead log into the database.
func open(path string) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	dsn.RawQuery = "mode=rw&_txlock=immediate&_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)" +
		"&_pragma=synchronous(NORMAL)&_pragma=cache_size(-8192)"
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func migrate(db *sql.DB) error {
	if _, err := db.Exec(schema); err != nil {
		return fmt.Errorf("create tables: %w", err)
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for name := range strings.Lines(migrations) {
		_, err := tx.Exec(`INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES (?, 1, ?)`,
			strings.TrimSpace(name), stamp(dawn.Add(-365*day)))
		if err != nil {
			return fmt.Errorf("record migration %s: %w", name, err)
		}
	}
	return tx.Commit()
}

// stamp returns a time in the form of GoToSocial's driver: text without the final
// zeros of the fraction.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999-07:00") }

// ulid returns an identifier that sorts by time: 48 bits of milliseconds and 80
// random bits, in 26 digits of Crockford's base 32.
func ulid(t time.Time, rnd *rand.Rand) string {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var id [26]byte
	for i, ms := 9, t.UnixMilli(); i >= 0; i, ms = i-1, ms>>5 {
		id[i] = digits[ms&31]
	}
	for i := 10; i < len(id); i++ {
		id[i] = digits[rnd.IntN(32)]
	}
	return string(id[:])
}
