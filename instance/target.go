package instance

import (
	"context"
	"os"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/instance/postgres"
	"holdfast/instance/sqlite"
	"holdfast/manifest"
)

// DatabaseTarget is the database that a restore makes, at the destination that
// GoToSocial's configuration gives it.
type DatabaseTarget interface {
	// Destination returns where the database goes.
	Destination() gotosocial.Destination

	// Inspect looks at the destination and changes nothing. The details tell a person what
	// the restore will make, and where. An error refuses the restore: a
	// [remedy.Error] with a fix, or a [disk.InTheWay].
	Inspect(ctx context.Context, facts manifest.Facts, m *disk.Mover) (details []string, err error)

	// Put moves or loads the database from a restored folder to its destination. A run
	// that was interrupted can call Put again: Put continues, and does nothing if the
	// database is at its destination. The notes are for the person who restores.
	Put(ctx context.Context, folder string, m *disk.Mover) (notes []string, err error)

	// Tables opens the tables after Put, while no server uses them. The caller
	// closes the tables.
	Tables(ctx context.Context) (gotosocial.Tables, error)

	// Rest returns what a person has to do about the database after the restore.
	Rest(ctx context.Context) []string
}

// OpenDatabaseTarget returns the target of the configured engine. It opens
// neither a file nor a connection.
func OpenDatabaseTarget(c *gotosocial.Config) (DatabaseTarget, error) {
	if c.Engine() == gotosocial.Postgres {
		return postgres.NewTarget(c)
	}
	return sqlite.NewTarget(c), nil
}

// MediaTarget is the folder or bucket that a restore fills with media.
type MediaTarget interface {
	// Destination returns where the media go.
	Destination() gotosocial.Destination

	// Inspect looks at the destination and changes nothing. A work folder of the restore may
	// lie at the destination. The detail tells a person where the media go. An error
	// refuses the restore, as in [DatabaseTarget].
	Inspect(ctx context.Context, work string, m *disk.Mover) (detail string, err error)

	// Put moves or uploads the media from a restored folder to their destination. A run
	// that was interrupted can call Put again.
	Put(ctx context.Context, folder string, m *disk.Mover) (notes []string, err error)

	// Find returns fs.ErrNotExist if a file is not at the destination.
	Find(ctx context.Context, key string) error

	// GiveToServer lets the server write to the destination. GiveToServer comes last: the
	// server's user may then rename what lies there, the work folder included.
	GiveToServer(m *disk.Mover) error
}

// OpenMediaTarget returns the target of the configured storage. The client is
// nil unless the media are in a bucket.
func OpenMediaTarget(c *gotosocial.Config, client media.Client) MediaTarget {
	if c.InBucket() {
		return media.NewBucketTarget(client, c)
	}
	return media.NewFolderTarget(c)
}

// RestoredDatabase is the database part in a folder that a restore made.
type RestoredDatabase interface {
	// Finish adds the files that the database needs beside the restored ones.
	// The files are durable when Finish returns.
	Finish(folder *os.Root) error

	// Settings returns the settings of a server over the database of the folder at
	// a path, by their keys in GoToSocial's configuration.
	Settings(path string) []gotosocial.Setting

	// Instructions returns the steps by which a person makes the database from the
	// folder at a path, or "" if the server opens the database where it lies.
	Instructions(path string, facts manifest.Facts) string
}

// OpenRestored returns the database part of a snapshot with these facts. With
// verbatim the database stays as it was.
func OpenRestored(facts manifest.Facts, verbatim bool) RestoredDatabase {
	if facts.Engine == gotosocial.Postgres {
		return postgres.Restored{Verbatim: verbatim}
	}
	return sqlite.Restored{}
}
