package vault

import (
	"context"
	"io"
	"iter"
	"time"

	"holdfast/manifest"
)

// Partial is a [View] of a database that holds more than the snapshot.
type Partial interface {
	// LeftOut names what the snapshot leaves out.
	LeftOut() []string

	// Refused says what a restore will refuse, after the whole database was read. The
	// snapshot has the bytes, and counts as incomplete.
	Refused() []string
}

// View is the database at one moment. A view holds a read transaction, and an
// open read transaction makes the write-ahead log of SQLite grow. Therefore a
// backup never waits for the network between Begin and Close.
type View interface {
	// Facts describes the instance for the snapshot's record. The view shows every
	// change that was committed before moment, by the clock of this machine. Facts
	// may be called after Close, and should be: Facts may ask GoToSocial's program,
	// for seconds.
	Facts(ctx context.Context) (f manifest.Facts, moment time.Time)

	// Database lists the files of the database part in path order. Path and Mode
	// are set. A file of pages also has Size, Modified and PageSize. Any other file
	// is a stream, and its Size is an estimate for the progress display.
	Database() []manifest.File

	// OpenDatabase reads a file of the database part from its start. A file of
	// pages yields exactly Size bytes, pages in order. Several streams may be open
	// at once. Only a nil error of the stream's Close shows that a stream is whole.
	OpenDatabase(ctx context.Context, path string) (io.ReadCloser, error)

	// Media yields the storage keys of the local media that rows of this view
	// name, in byte order and each once. The backup reports a key that is no valid
	// path as missing.
	Media(ctx context.Context) iter.Seq2[string, error]

	// Close ends the transaction.
	Close() error
}
