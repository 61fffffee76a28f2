// Package media reads the media of an instance from a folder or a bucket, and puts
// restored media there.
package media

import (
	"context"
	"io"
	"io/fs"
	"os"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/manifest"
)

// Folder is the media folder: GoToSocial's storage-backend local. Symbolic links
// can't lead out of the folder.
type Folder struct{ root *os.Root }

// OpenFolder opens the folder of the configuration. The caller closes the folder.
func OpenFolder(c *gotosocial.Config) (*Folder, error) {
	root, err := os.OpenRoot(c.Storage())
	if err != nil {
		return nil, c.PathError("media directory", "storage-local-base-path", err)
	}
	return &Folder{root}, nil
}

// Reachable returns nil: the folder is open.
func (f *Folder) Reachable(context.Context) error { return nil }

// Stat returns the size, mode and time of a file.
func (f *Folder) Stat(_ context.Context, key string) (manifest.File, error) {
	info, err := f.root.Stat(key)
	if err != nil {
		return manifest.File{}, err
	}
	return FileOf(info)
}

// Open opens a file.
func (f *Folder) Open(_ context.Context, key string) (io.ReadCloser, error) {
	file, err := disk.OpenIn(f.root, key)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Folder returns the path of the folder.
func (f *Folder) Folder() string { return f.root.Name() }

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// FileOf returns the size, mode and times of a regular file. Anything else is an
// error.
func FileOf(info fs.FileInfo) (manifest.File, error) {
	if err := disk.CheckRegular(info); err != nil {
		return manifest.File{}, err
	}
	return manifest.File{Size: info.Size(), Mode: manifest.Mode(info.Mode().Perm()), Modified: info.ModTime(),
		Changed: disk.Changed(info)}, nil
}
