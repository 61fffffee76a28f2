package vault

import (
	"context"
	"io"
	"iter"

	"holdfast/manifest"
)

// Source is the instance that a backup reads.
type Source interface {
	// Domain is the instance's own domain: its name in the repository.
	Domain() string

	// Begin opens one consistent view of the database.
	Begin(ctx context.Context) (View, error)

	// Stat and Open reach a file of the media or files part. A file that is
	// not there is fs.ErrNotExist. Of Stat's, Size, Mode and Modified are set, and
	// ETag where there is one. It is asked in path order.
	Stat(ctx context.Context, part manifest.Part, path string) (manifest.File, error)
	Open(ctx context.Context, part manifest.Part, path string) (io.ReadCloser, error)

	// Reachable reports whether media can be read at all. A file that can't be
	// read costs itself only; a bucket that doesn't answer ends the backup.
	Reachable(ctx context.Context) error

	// Files yields the files part in path order: Path, Size, Mode, Modified
	// and Owner are set, and Link of a symbolic link, which is never opened and
	// has no other path below it. An error beside a path, of whatever form, is about that
	// file alone: it counts as missing, or as left out on purpose where the error
	// is errors.ErrUnsupported. Any other error ends the list.
	Files(ctx context.Context) iter.Seq2[manifest.File, error]

	// Named reports which of the media paths a row of the live database still
	// names, in a transaction of its own.
	Named(ctx context.Context, paths []string) (map[string]bool, error)
}

// View is the database at one moment. It holds a read transaction, which makes
// the server's write-ahead log grow: read it, close it, and only then wait for
// anything else.
type View interface {
	// Facts are what the snapshot's record tells of the instance.
	Facts() manifest.Facts

	// Database lists the files of the database part, in path order: Path and
	// Mode are set. A file of pages has Size, Modified and PageSize; any other is
	// a stream, of which Size is a guess, for the progress.
	Database() []manifest.File

	// OpenDatabase reads one of them from its start. A file of pages yields
	// exactly Size bytes, pages in order. Several streams may be read at once.
	OpenDatabase(ctx context.Context, path string) (io.ReadCloser, error)

	// Media yields the storage keys of local media, by the rows of this view:
	// in byte order, each once. One that is no valid path counts as missing.
	Media(ctx context.Context) iter.Seq2[string, error]

	// Close ends the transaction.
	Close() error
}
