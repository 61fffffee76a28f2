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

// Folder is GoToSocial's storage-backend local. A file lies within the
// folder, wherever symbolic links in it point.
type Folder struct{ root *os.Root }

func OpenFolder(c *gotosocial.Config) (*Folder, error) {
	root, err := os.OpenRoot(c.Storage())
	if err != nil {
		return nil, c.PathError("media directory", "storage-local-base-path", err)
	}
	return &Folder{root}, nil
}

// Reachable is nil: the folder is open.
func (f *Folder) Reachable(context.Context) error { return nil }

// Stat describes a file by size, mode and time.
func (f *Folder) Stat(_ context.Context, key string) (manifest.File, error) {
	info, err := f.root.Stat(key)
	if err != nil {
		return manifest.File{}, err
	}
	return FileOf(info)
}

// Open reads a file.
func (f *Folder) Open(_ context.Context, key string) (io.ReadCloser, error) {
	file, err := disk.OpenIn(f.root, key)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Is reports whether a folder is this one.
func (f *Folder) Is(folder fs.FileInfo) bool {
	info, err := f.root.Stat(".")
	return err == nil && os.SameFile(info, folder)
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

// FileOf is what a listing has of a regular file.
func FileOf(info fs.FileInfo) (manifest.File, error) {
	if err := disk.CheckRegular(info); err != nil {
		return manifest.File{}, err
	}
	return manifest.File{Size: info.Size(), Mode: manifest.Mode(info.Mode().Perm()), Modified: info.ModTime()}, nil
}
