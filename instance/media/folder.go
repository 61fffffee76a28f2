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

// Folder is the media folder: GoToSocial's storage-backend local. A symbolic link may
// lead out of the folder only as [Folder.openLinked] says.
type Folder struct {
	root   *os.Root // nil: the folder can't be opened
	closed error    // why
}

// OpenFolder opens the folder of the configuration. The caller closes the folder. If the
// folder can't be opened, all files of the folder have the error of [Folder.Problem]:
// a backup can still save the database.
func OpenFolder(c *gotosocial.Config) *Folder {
	f := new(Folder)
	var err error
	if f.root, err = disk.OpenRoot(c.Storage()); err != nil {
		f.closed = c.PathError("media directory", "storage-local-base-path", err)
	}
	return f
}

// Problem returns why the folder can't be opened, or nil.
func (f *Folder) Problem() error { return f.closed }

// Reachable returns nil: another folder is no other way to the media.
func (f *Folder) Reachable(context.Context) error { return nil }

// Stat returns the size, mode and times of a file.
func (f *Folder) Stat(_ context.Context, key string) (manifest.File, error) {
	if f.closed != nil {
		return manifest.File{}, f.closed
	}
	info, err := f.root.Stat(key)
	if mayBeLinked(err) {
		return f.statLinked(key, err)
	}
	if err != nil {
		return manifest.File{}, err
	}
	return FileOf(info)
}

// Open opens a file.
func (f *Folder) Open(_ context.Context, key string) (io.ReadCloser, error) {
	if f.closed != nil {
		return nil, f.closed
	}
	file, err := disk.OpenIn(f.root, key)
	if mayBeLinked(err) {
		file, err = f.openLinked(key, err)
	}
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Close closes the folder.
func (f *Folder) Close() error {
	if f.root == nil {
		return nil
	}
	return f.root.Close()
}

// FileOf returns the size, mode and times of a regular file. Anything else is an
// error.
func FileOf(info fs.FileInfo) (manifest.File, error) {
	if err := disk.CheckRegular(info); err != nil {
		return manifest.File{}, err
	}
	return manifest.File{Size: info.Size(), Mode: manifest.Mode(info.Mode().Perm()), Modified: info.ModTime(),
		Changed: disk.Changed(info)}, nil
}
