package instance

import (
	"context"
	"io"
	"io/fs"
	"os"

	"holdfast/disk"
	"holdfast/manifest"
)

// mediaFolder is GoToSocial's storage-backend local. A file lies within the
// folder, wherever symbolic links in it point.
type mediaFolder struct{ root *os.Root }

func openFolder(c *Config) (*mediaFolder, error) {
	root, err := os.OpenRoot(c.Storage())
	if err != nil {
		return nil, c.pathError("media directory", "storage-local-base-path", err)
	}
	return &mediaFolder{root}, nil
}

// Reachable is nil: the folder is open.
func (f *mediaFolder) Reachable(context.Context) error { return nil }

// Stat describes a file by size, mode and time.
func (f *mediaFolder) Stat(_ context.Context, key string) (manifest.File, error) {
	info, err := f.root.Stat(key)
	if err != nil {
		return manifest.File{}, err
	}
	return fileOf(info)
}

// Open reads a file.
func (f *mediaFolder) Open(_ context.Context, key string) (io.ReadCloser, error) {
	file, err := disk.OpenIn(f.root, key)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Is reports whether a folder is this one.
func (f *mediaFolder) Is(folder fs.FileInfo) bool {
	info, err := f.root.Stat(".")
	return err == nil && os.SameFile(info, folder)
}

// Close closes the folder.
func (f *mediaFolder) Close() error { return f.root.Close() }

// fileOf is what a listing has of a regular file.
func fileOf(info fs.FileInfo) (manifest.File, error) {
	if err := disk.CheckRegular(info); err != nil {
		return manifest.File{}, err
	}
	return manifest.File{Size: info.Size(), Mode: manifest.Mode(info.Mode().Perm()), Modified: info.ModTime()}, nil
}
