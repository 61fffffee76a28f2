package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/disk"
	"holdfast/remedy"
)

// StorageFolder is the folder of the media in a restored folder.
const StorageFolder = "storage"

// FolderTarget is a media folder that a restore fills.
type FolderTarget struct {
	Path  string
	Mover *disk.Mover
}

// Look refuses a folder that isn't empty.
func (t *FolderTarget) Look(_ context.Context, work string) (detail string, err error) {
	entries, err := os.ReadDir(t.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return t.Path, nil
	}
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Name() != "lost+found" && filepath.Join(t.Path, e.Name()) != work {
			return "", &remedy.Error{Kind: remedy.Refused, What: t.Path + " is not empty: " + e.Name() + " is there", Fix: "move away what is in it"}
		}
	}
	return t.Path, nil
}

// Put moves the files to their places.
func (t *FolderTarget) Put(ctx context.Context, folder string) (notes []string, err error) {
	from := filepath.Join(folder, StorageFolder)
	if err := t.Mover.MakeFolder(filepath.Dir(t.Path)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(t.Path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	n := 0
	err = filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return fs.SkipAll // an earlier run was through
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
		return t.Mover.Move(path, filepath.Join(t.Path, key), t.Mover.User)
	})
	if err != nil {
		return nil, fmt.Errorf("place media: %w", err)
	}
	return []string{fmt.Sprintf("media: %s in %s", remedy.Plural(n, "file"), t.Path)}, os.RemoveAll(from)
}

// Find looks for a file.
func (t *FolderTarget) Find(_ context.Context, key string) error {
	_, err := os.Stat(filepath.Join(t.Path, filepath.FromSlash(key)))
	return err
}

// GiveToServer gives the folder to the server's user.
func (t *FolderTarget) GiveToServer() error {
	if disk.CheckGuarded(filepath.Dir(t.Path)) != nil {
		return t.Mover.Lchown(t.Path) // it may be a link by now, to anything
	}
	return t.Mover.Chown(t.Path)
}

// BucketTarget is a bucket that a restore fills with media.
type BucketTarget struct {
	Bucket Client
	Name   string
	Mover  *disk.Mover
}

// Look refuses a bucket that isn't empty, unless what is there may stay.
func (t *BucketTarget) Look(ctx context.Context, _ string) (detail string, err error) {
	detail = "bucket " + t.Name
	for o, err := range t.Bucket.List(ctx, "") {
		if err != nil {
			return "", err
		}
		if t.Mover.Replace {
			return detail + " is not empty; what is there stays", nil
		}
		return "", &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("%s is not empty: %q is there", detail, o.Name),
			Fix: "--replace lets what is there stay, beside what is restored; or name another storage-s3-key-prefix"}
	}
	return detail, nil
}

// Put puts the files into the bucket.
func (t *BucketTarget) Put(ctx context.Context, folder string) (notes []string, err error) {
	from := filepath.Join(folder, StorageFolder)
	root, err := os.OpenRoot(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // an earlier run was through
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f := &Filling{From: root, To: t.Bucket}
	if t.Mover.Replace {
		err = f.Resume(ctx)
	} else {
		err = f.Start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("place media: %w", err)
	}
	return []string{fmt.Sprintf("media: %s in bucket %s", remedy.Plural(int(f.Files.Load()), "file"), t.Name)}, os.RemoveAll(from)
}

// Find looks for an object.
func (t *BucketTarget) Find(ctx context.Context, key string) error {
	_, err := t.Bucket.Stat(ctx, key)
	return err
}

// GiveToServer does nothing: the bucket has no user of this machine.
func (t *BucketTarget) GiveToServer() error { return nil }
