package instance

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/instance/postgres"
	"holdfast/instance/sqlite"
	"holdfast/manifest"
	"holdfast/vault"
)

// database is the live database of an instance.
type database interface {
	// Begin opens a consistent view for a backup. The instance's own account is named
	// like the domain.
	Begin(ctx context.Context, domain string) (vault.View, error)

	// Tables opens the tables at one moment. The caller closes the tables.
	Tables(ctx context.Context, domain string) (gotosocial.Tables, error)

	// EachLocalMedia calls key with the storage keys of local media, in a transaction
	// of its own.
	EachLocalMedia(ctx context.Context, key func(string)) error

	// Holds reports whether a file belongs to the database.
	Holds(fs.FileInfo) bool
}

// openDatabase returns the database of the configured engine.
func openDatabase(c *gotosocial.Config) (database, error) {
	if c.Engine() == gotosocial.Postgres {
		return postgres.Open(c)
	}
	return sqlite.Open(c)
}

// store is the media of an instance. Keys are paths of a listing.
type store interface {
	// Stat returns the size, mode, time and, if known, ETag of a file.
	Stat(ctx context.Context, key string) (manifest.File, error)

	// Open opens a file. The caller closes the file.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// Reachable returns an error if no media can be read. Reachable is called before
	// each view of the database, and drops what the store remembers of the media.
	Reachable(ctx context.Context) error

	// Problem returns why no media can be read, or nil. The store of an unreadable folder
	// is open: a backup saves the database without the media.
	Problem() error

	Close() error
}

// openStore returns the configured storage. The client is nil unless the media are
// in a bucket.
func openStore(c *gotosocial.Config, client media.Client) (store, error) {
	if !c.InBucket() {
		return media.OpenFolder(c), nil
	}
	if client == nil {
		return nil, errors.New("open instance: its media are in a bucket, but the caller gave no client")
	}
	return media.NewBucket(client), nil
}

// OpenTables opens the tables of the live database at one moment. OpenTables needs no
// media. The caller closes the tables.
func OpenTables(ctx context.Context, c *gotosocial.Config) (gotosocial.Tables, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	db, err := openDatabase(c)
	if err != nil {
		return nil, err
	}
	return db.Tables(ctx, c.Domain())
}
