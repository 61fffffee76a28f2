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

// Filling uploads restored media to a bucket. A filling can be repeated: objects that
// are there already stay, and only the others are uploaded.
type Filling struct {
	From *os.Root // the restored storage folder; nobody may change the folder during the upload
	To   Client

	// The progress, readable at any time: files in the bucket, files among them that
	// were uploaded, and the uploaded bytes.
	Files, Put, Bytes atomic.Int64
}

// fillers is the number of simultaneous uploads.
const fillers = 4

// Start fills a bucket that holds nothing else. If the bucket holds an object that
// the folder lacks, Start uploads nothing and refuses.
func (f *Filling) Start(ctx context.Context) error {
	for o, err := range f.To.List(ctx, "") {
		if err != nil {
			return err
		}
		if !f.has(o.Name) {
			return &remedy.Error{
				Kind: remedy.Refused,
				What: fmt.Sprintf("GoToSocial's bucket holds objects that are not part of this restore, such as %q",
					o.Name),
				Fix: "name an empty bucket or another storage-s3-key-prefix in GoToSocial's configuration, or " +
					"empty the bucket",
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

// Resume fills a bucket whose other objects may stay. Resume continues an
// interrupted Start, or keeps the objects of a lost server.
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
	// The error of an upload ends the walk too.
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

// bring uploads a file unless the bucket has the file.
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

// holds reports whether an object holds the bytes of a file. The size must match,
// and the ETag if the ETag is an MD5. The ETag of a multipart upload is no MD5 and
// ends in "-PARTS".
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

// contentType returns the content type that GoToSocial gives to a file. GoToSocial
// may redirect readers to the bucket, and the readers then see this type.
func contentType(key string) string {
	return cmp.Or(contentTypes[strings.ToLower(path.Ext(key))], "application/octet-stream")
}

// contentTypes are the content types of GoToSocial's media by their extensions
// (internal/media).
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
