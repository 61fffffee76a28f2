package instance

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

// storageFolder is the folder of the media in a restored folder.
const storageFolder = "storage"

// folderTarget is a media folder that a restore fills.
type folderTarget struct {
	path  string
	mover *disk.Mover
}

// Look refuses a folder that isn't empty.
func (t *folderTarget) Look(_ context.Context, work string) (detail string, err error) {
	entries, err := os.ReadDir(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return t.path, nil
	}
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Name() != "lost+found" && filepath.Join(t.path, e.Name()) != work {
			return "", &remedy.Error{Kind: remedy.Refused, What: t.path + " is not empty: " + e.Name() + " is there", Fix: "move away what is in it"}
		}
	}
	return t.path, nil
}

// Put moves the files to their places.
func (t *folderTarget) Put(ctx context.Context, folder string) (notes []string, err error) {
	from := filepath.Join(folder, storageFolder)
	if err := t.mover.MakeFolder(filepath.Dir(t.path)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(t.path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
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
		return t.mover.Move(path, filepath.Join(t.path, key), t.mover.User)
	})
	if err != nil {
		return nil, fmt.Errorf("place media: %w", err)
	}
	return []string{fmt.Sprintf("media: %s in %s", remedy.Plural(n, "file"), t.path)}, os.RemoveAll(from)
}

// Find looks for a file.
func (t *folderTarget) Find(_ context.Context, key string) error {
	_, err := os.Stat(filepath.Join(t.path, filepath.FromSlash(key)))
	return err
}

// GiveToServer gives the folder to the server's user.
func (t *folderTarget) GiveToServer() error {
	if disk.CheckGuarded(filepath.Dir(t.path)) != nil {
		return t.mover.Lchown(t.path) // it may be a link by now, to anything
	}
	return t.mover.Chown(t.path)
}

// bucketTarget is a bucket that a restore fills with media.
type bucketTarget struct {
	bucket Bucket
	name   string
	mover  *disk.Mover
}

// Look refuses a bucket that isn't empty, unless what is there may stay.
func (t *bucketTarget) Look(ctx context.Context, _ string) (detail string, err error) {
	detail = "bucket " + t.name
	for o, err := range t.bucket.List(ctx, "") {
		if err != nil {
			return "", err
		}
		if t.mover.Replace {
			return detail + " is not empty; what is there stays", nil
		}
		return "", &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("%s is not empty: %q is there", detail, o.Name),
			Fix: "--replace lets what is there stay, beside what is restored; or name another storage-s3-key-prefix"}
	}
	return detail, nil
}

// Put puts the files into the bucket.
func (t *bucketTarget) Put(ctx context.Context, folder string) (notes []string, err error) {
	from := filepath.Join(folder, storageFolder)
	root, err := os.OpenRoot(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // an earlier run was through
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f := &Filling{From: root, To: t.bucket}
	if t.mover.Replace {
		err = f.Resume(ctx)
	} else {
		err = f.Start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("place media: %w", err)
	}
	return []string{fmt.Sprintf("media: %s in bucket %s", remedy.Plural(int(f.Files.Load()), "file"), t.name)}, os.RemoveAll(from)
}

// Find looks for an object.
func (t *bucketTarget) Find(ctx context.Context, key string) error {
	_, err := t.bucket.Stat(ctx, key)
	return err
}

// GiveToServer does nothing: the bucket has no user of this machine.
func (t *bucketTarget) GiveToServer() error { return nil }
