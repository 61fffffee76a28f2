package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/internal/units"
	"holdfast/remedy"
)

// StorageFolder is the folder of the media in a restored folder.
const StorageFolder = "storage"

// FolderTarget is the media folder that a restore fills.
type FolderTarget struct{ path string }

// NewFolderTarget returns the target of the configuration.
func NewFolderTarget(c *gotosocial.Config) *FolderTarget { return &FolderTarget{c.Storage()} }

// Destination names the folder.
func (t *FolderTarget) Destination() gotosocial.Destination {
	return gotosocial.Destination{Name: t.path, Folder: t.path}
}

// Inspect refuses a folder that is not empty, apart from the work folder.
func (t *FolderTarget) Inspect(_ context.Context, work string, _ *disk.Mover) (detail string, err error) {
	entries, err := os.ReadDir(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return t.path, nil
	}
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Name() != "lost+found" && filepath.Join(t.path, e.Name()) != work {
			return "", &remedy.Error{Kind: remedy.Refused, What: t.path + " is not empty: " + e.Name() + " is there",
				Fix: "move the contents of the folder away"}
		}
	}
	return t.path, nil
}

// Put moves the files to their places.
func (t *FolderTarget) Put(ctx context.Context, folder string, m *disk.Mover) (notes []string, err error) {
	from := filepath.Join(folder, StorageFolder)
	mode, err := openness(from)
	if err != nil {
		return nil, err
	}
	if err := m.MakePrivateFolder(t.path, mode); err != nil {
		return nil, err
	}
	n := 0
	err = filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return fs.SkipAll // an earlier run moved everything
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || entry.IsDir() {
			return err
		}
		key, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		n++
		return m.Move(path, filepath.Join(t.path, key), m.User)
	})
	if err != nil {
		return nil, fmt.Errorf("place media: %w", err)
	}
	return []string{fmt.Sprintf("media: %s in %s", units.Count(n, "file"), t.path)}, os.RemoveAll(from)
}

// openness returns the mode of a folder that is as open as the files below another folder. The
// other folder may be missing. The walk ends as soon as a file is open to all users.
func openness(dir string) (mode fs.FileMode, err error) {
	mode = 0o700
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == dir {
			return fs.SkipAll
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if mode |= disk.FolderMode(info.Mode()); mode == 0o755 {
			return fs.SkipAll
		}
		return nil
	})
	return mode, err
}

// Find returns fs.ErrNotExist if the folder lacks a file.
func (t *FolderTarget) Find(_ context.Context, key string) error {
	_, err := os.Stat(filepath.Join(t.path, filepath.FromSlash(key)))
	return err
}

// GiveToServer gives the folder to the server's user.
func (t *FolderTarget) GiveToServer(m *disk.Mover) error { return m.GiveFolder(t.path) }

// BucketTarget is the bucket that a restore fills.
type BucketTarget struct {
	client Client
	name   string
	url    string // of the prefix
}

// NewBucketTarget returns the bucket of the configuration, which the client
// reaches.
func NewBucketTarget(client Client, c *gotosocial.Config) *BucketTarget {
	name := c.Get("storage-s3-bucket")
	url := c.Get("storage-s3-endpoint") + "/" + name + "/" + c.Get("storage-s3-key-prefix")
	return &BucketTarget{client: client, name: name, url: url}
}

// Destination names the endpoint, the bucket and the prefix.
func (t *BucketTarget) Destination() gotosocial.Destination {
	return gotosocial.Destination{Name: t.url}
}

// Inspect refuses a bucket that is not empty, unless the mover may replace.
func (t *BucketTarget) Inspect(ctx context.Context, _ string, m *disk.Mover) (detail string, err error) {
	detail = "bucket " + t.name
	for o, err := range t.client.List(ctx, "") {
		if err != nil {
			return "", err
		}
		if m.Replace {
			return detail + " is not empty; the old objects stay", nil
		}
		return "", &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("%s is not empty: %.100q is there", detail, o.Name),
			Fix: "--replace keeps the old objects beside the restored media; or name another " +
				"storage-s3-key-prefix"}
	}
	return detail, nil
}

// Put puts the files into the bucket.
func (t *BucketTarget) Put(ctx context.Context, folder string, m *disk.Mover) (notes []string, err error) {
	from := filepath.Join(folder, StorageFolder)
	root, err := disk.OpenRoot(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // an earlier run uploaded everything
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f := &Filling{From: root, To: t.client}
	if m.Replace {
		err = f.Resume(ctx)
	} else {
		err = f.Start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("place media: %w", err)
	}
	files := units.Count(f.Files.Load(), "file")
	return []string{fmt.Sprintf("media: %s in bucket %s", files, t.name)}, os.RemoveAll(from)
}

// Find returns fs.ErrNotExist if the bucket lacks an object.
func (t *BucketTarget) Find(ctx context.Context, key string) error {
	_, err := t.client.Stat(ctx, key)
	return err
}

// GiveToServer does nothing: a bucket has no Unix user.
func (t *BucketTarget) GiveToServer(*disk.Mover) error { return nil }
