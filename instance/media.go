package instance

import (
	"context"
	"io"
	"io/fs"
	"os"

	"holdfast/manifest"
)

// media is where the instance keeps its media: a folder or a bucket. Keys are
// paths of a listing.
type media interface {
	// begin is called before each view of the database, and is an error where no
	// media can be read.
	begin(ctx context.Context) error

	// stat describes a file by size, mode, time and, where it has one, ETag.
	stat(ctx context.Context, key string) (manifest.File, error)

	// open reads a file.
	open(ctx context.Context, key string) (io.ReadCloser, error)

	// reachable reports whether any media can be read.
	reachable(ctx context.Context) error

	// is reports whether a folder is the one of the media.
	is(folder fs.FileInfo) bool

	Close() error
}

// mediaFolder is GoToSocial's storage-backend local. A file lies within the
// folder, wherever symbolic links in it point.
type mediaFolder struct{ *os.Root }

func openFolder(c *Config) (mediaFolder, error) {
	root, err := os.OpenRoot(c.Storage())
	if err != nil {
		return mediaFolder{}, unopened("media directory", err, c.relative("storage-local-base-path"))
	}
	return mediaFolder{root}, nil
}

func (f mediaFolder) begin(context.Context) error { return nil }

func (f mediaFolder) reachable(context.Context) error { return nil }

func (f mediaFolder) stat(_ context.Context, key string) (manifest.File, error) {
	return described(f.Stat(key))
}

func (f mediaFolder) open(_ context.Context, key string) (io.ReadCloser, error) {
	return asReader(opened(f.OpenFile(key, readOnly, 0)))
}

func (f mediaFolder) is(folder fs.FileInfo) bool {
	info, err := f.Stat(".")
	return err == nil && os.SameFile(info, folder)
}
