package vault

import (
	"context"
	"io"
	"iter"

	"holdfast/manifest"
)

// DatabaseSource is the database of the instance that a backup reads.
type DatabaseSource interface {
	// Begin opens a consistent view of the database. The caller closes the view.
	Begin(ctx context.Context) (View, error)

	// Named reports which of the media paths a row of the live database names.
	// Named reads in a transaction of its own, never in a view's. A path that is
	// absent from the result counts as unnamed.
	Named(ctx context.Context, paths []string) (map[string]bool, error)
}

// FileSource is the media and the files part of the instance that a backup
// reads. A backup calls Open from several goroutines at once.
type FileSource interface {
	// Stat describes a file of the media part. Stat sets Size, Mode, Modified and, if
	// known, Changed or ETag. A backup asks in path order. A file that does not exist is
	// fs.ErrNotExist. Any other error also concerns that file alone.
	Stat(ctx context.Context, part manifest.Part, path string) (manifest.File, error)

	// Open reads a file of the media or files part from its start. path is the file's
	// TruePath. A file that does not exist is fs.ErrNotExist. Any other error also
	// concerns that file alone. If the reader has the method Stat of os.File, the backup
	// notices a change of the file during the reading. If the reader has the method
	// Rights, the snapshot has the mode and user of the open file.
	Open(ctx context.Context, part manifest.Part, path string) (io.ReadCloser, error)

	// Reachable returns an error if no media can be read at all. A backup calls
	// Reachable after an error of Stat or Open other than fs.ErrNotExist. The error
	// of Reachable ends the backup: a bucket that does not answer is no reason to
	// record every file as missing.
	Reachable(ctx context.Context) error

	// Files yields the files part in path order. Path, Size, Mode, Modified, Changed
	// and User are set. A symbolic link also has Link; a backup never opens a link,
	// and no other path lies below one. A folder has Folder, and no time.
	//
	// An error beside a path concerns that path alone, even if the path is not
	// valid: the backup reports the file as missing. With errors.ErrUnsupported the
	// source left the file out on purpose, and the snapshot counts as complete. An
	// error without a path ends the backup.
	Files(ctx context.Context) iter.Seq2[manifest.File, error]
}
