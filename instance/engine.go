package instance

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"holdfast/disk"
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

	// Is reports whether a folder is the one of the media.
	Is(folder fs.FileInfo) bool

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

// DatabaseTarget is the place of a database that a restore fills, of either
// engine.
type DatabaseTarget interface {
	// Look looks at the place and changes nothing. details say, in words, what the
	// restore will make and where. An error refuses the restore: a [remedy.Error]
	// says why, and what to do, a [disk.InTheWay] what is there already.
	Look(ctx context.Context, facts manifest.Facts) (details []string, err error)

	// Put puts the database of a restored folder in its place. Put can be repeated
	// by the same run: it goes on where it was cut off, and does nothing once all is
	// there. notes are for the person who restores.
	Put(ctx context.Context, folder string) (notes []string, err error)

	// Tables opens the database that Put put there, which no server uses yet.
	Tables(ctx context.Context) (gotosocial.Tables, error)

	// Rest is what a restore leaves to a person, at this database.
	Rest(ctx context.Context) []string
}

// OpenDatabaseTarget finds where the configuration wants the database. Nothing is
// opened yet. verbatim leaves the database as it was when it was saved.
func OpenDatabaseTarget(c *gotosocial.Config, m *disk.Mover, verbatim bool) (DatabaseTarget, error) {
	if c.Engine() == gotosocial.Postgres {
		return postgres.NewTarget(c, m, verbatim)
	}
	return sqlite.NewTarget(c, m), nil
}

// MediaTarget is the place of the media that a restore fills: a folder or a
// bucket.
type MediaTarget interface {
	// Look looks at the place and changes nothing. work is a folder that may lie in
	// it. detail says where the media go. An error refuses the restore, as
	// [DatabaseTarget] has it.
	Look(ctx context.Context, work string) (detail string, err error)

	// Put puts the media of a restored folder in their place, and can be repeated
	// by the same run.
	Put(ctx context.Context, folder string) (notes []string, err error)

	// Find returns fs.ErrNotExist where a file is not among the media.
	Find(ctx context.Context, key string) error

	// GiveToServer makes the place the server's own. It comes last.
	GiveToServer() error
}

// OpenMediaTarget finds where the configuration wants the media. b is their
// bucket, or nil.
func OpenMediaTarget(c *gotosocial.Config, b media.Client, m *disk.Mover) MediaTarget {
	if c.InBucket() {
		return &media.BucketTarget{Bucket: b, Name: c.Get("storage-s3-bucket"), Mover: m}
	}
	return &media.FolderTarget{Path: c.Storage(), Mover: m}
}
