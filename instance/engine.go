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

// database is the instance's database, of either engine.
type database interface {
	// Begin opens one consistent view. domain is the name of the instance's own
	// account.
	Begin(ctx context.Context, domain string) (vault.View, error)

	// Tables opens the tables at one moment, for a domain as Begin has it.
	Tables(ctx context.Context, domain string) (gotosocial.Tables, error)

	// EachLocalMedia tells the storage keys of local media, in a transaction of its
	// own.
	EachLocalMedia(ctx context.Context, key func(string)) error

	// Holds reports whether a file is the live database's own.
	Holds(fs.FileInfo) bool

	// File is the path of the database's file, "" where a server has it.
	File() string
}

// openDatabase finds the database, of either engine.
func openDatabase(c *gotosocial.Config) (database, error) {
	if c.Engine() == gotosocial.Postgres {
		return postgres.Open(c)
	}
	return sqlite.Open(c)
}

// store is where the instance keeps its media: a folder or a bucket. Keys are
// paths of a listing.
type store interface {
	// Stat describes a file by size, mode, time and, where it has one, ETag.
	Stat(ctx context.Context, key string) (manifest.File, error)

	// Open reads a file.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// Reachable reports whether any media can be read. It is called before each
	// view of the database, too: what is remembered of the media is forgotten.
	Reachable(ctx context.Context) error

	// Folder is the folder of the media, "" where they are in a bucket.
	Folder() string

	Close() error
}

// openStore finds the media. b is their bucket, or nil.
func openStore(c *gotosocial.Config, b media.Client) (store, error) {
	if !c.InBucket() {
		return media.OpenFolder(c)
	}
	if b == nil {
		return nil, errors.New("open instance: its media are in a bucket, and none was given")
	}
	return media.NewBucket(b), nil
}

// OpenTables opens the tables of the live database at one moment. The media are
// not needed.
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
