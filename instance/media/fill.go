package media

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"holdfast/disk"
	"holdfast/remedy"
	"holdfast/remote"
)

// Filling brings the media of a restore into the bucket of an instance. It may
// be repeated: what is there already stays, and only the rest is put.
type Filling struct {
	From *os.Root // the restored storage folder, which nobody changes meanwhile
	To   Client

	// How far it is, to be read at any time: files that are in the bucket, those
	// of them that had to be put, and their bytes.
	Files, Put, Bytes atomic.Int64
}

// fillers is how many files are on their way at once.
const fillers = 4

// Start fills a bucket that holds nothing else. Where it holds objects that the
// folder doesn't have, it is refused before anything was put.
func (f *Filling) Start(ctx context.Context) error {
	for o, err := range f.To.List(ctx, "") {
		if err != nil {
			return err
		}
		if !f.has(o.Name) {
			return &remedy.Error{
				Kind: remedy.Refused,
				What: fmt.Sprintf("GoToSocial's bucket holds what this restore does not bring, such as %q", o.Name),
				Fix:  "name an empty bucket, or another storage-s3-key-prefix, in GoToSocial's configuration; or empty that one",
			}
		}
	}
	return f.Resume(ctx)
}

// has reports whether the restored folder holds a file.
func (f *Filling) has(key string) bool {
	if !fs.ValidPath(key) {
		return false
	}
	info, err := f.From.Lstat(key)
	return err == nil && info.Mode().IsRegular()
}

// Resume fills a bucket whose other objects may stay: it goes on with a Start
// that was stopped, or keeps what a lost server left in the bucket.
func (f *Filling) Resume(ctx context.Context) error {
	f.Files.Store(0)
	f.Put.Store(0)
	f.Bytes.Store(0)
	listed := NewBucket(f.To)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fillers)
	err := f.walk(gctx, ".", func(key string) error {
		there, _, err := listed.find(gctx, key)
		if err == nil {
			g.Go(func() error { return f.bring(gctx, key, there) })
		}
		return err
	})
	// The error of a file ends the walk, too.
	return cmp.Or(g.Wait(), err)
}

// walk visits the files of a folder in byte order of their keys.
func (f *Filling) walk(ctx context.Context, dir string, visit func(key string) error) error {
	entries, err := fs.ReadDir(f.From.FS(), dir)
	if err != nil {
		return fmt.Errorf("read restored media: %w", err)
	}
	order := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(order(a), order(b)) })
	for _, e := range entries {
		key := path.Join(dir, e.Name())
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case e.IsDir():
			err = f.walk(ctx, key, visit)
		default:
			err = visit(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bring puts a file, unless it is there.
func (f *Filling) bring(ctx context.Context, key string, there remote.Object) error {
	file, err := disk.OpenIn(f.From, key)
	if err != nil {
		return fmt.Errorf("read restored media: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read restored media: %w", err)
	}
	is, err := holds(there, file, info.Size())
	if err != nil {
		return fmt.Errorf("read restored media %q: %w", key, err)
	}
	if !is {
		if err := f.To.Put(ctx, key, file, info.Size(), contentType(key)); err != nil {
			return err
		}
		f.Put.Add(1)
		f.Bytes.Add(info.Size())
	}
	f.Files.Add(1)
	return nil
}

// holds reports whether an object holds the bytes of a file, by its size and, where
// its ETag is an MD5, by that: those of objects put in parts end in "-PARTS".
func holds(o remote.Object, file io.Reader, size int64) (bool, error) {
	if o.Name == "" || o.Size != size {
		return false, nil
	}
	want, err := hex.DecodeString(o.ETag)
	if err != nil || len(want) != md5.Size {
		return true, nil
	}
	hash := md5.New()
	if _, err := io.Copy(hash, file); err != nil {
		return false, err
	}
	return string(hash.Sum(nil)) == string(want), nil
}

// contentType is what GoToSocial's server calls files of that name: where it
// sends readers to the bucket itself, this is what they see.
func contentType(key string) string {
	return cmp.Or(contentTypes[strings.ToLower(path.Ext(key))], "application/octet-stream")
}

// contentTypes are those of the media that GoToSocial takes, by the extensions
// that it gives them (internal/media).
var contentTypes = map[string]string{
	".apng": "image/apng",
	".avif": "image/avif",
	".flac": "audio/flac",
	".gif":  "image/gif",
	".jpeg": "image/jpeg",
	".jpg":  "image/jpeg",
	".m4a":  "audio/mp4",
	".mkv":  "video/x-matroska",
	".mov":  "video/quicktime",
	".mp3":  "audio/mpeg",
	".mp4":  "video/mp4",
	".ogg":  "audio/ogg",
	".ogv":  "video/ogg",
	".opus": "audio/ogg",
	".png":  "image/png",
	".wav":  "audio/wav",
	".webm": "video/webm",
	".webp": "image/webp",
	".wma":  "audio/x-ms-wma",
	".wmv":  "video/x-ms-wmv",
}
