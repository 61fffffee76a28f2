package media

import (
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"holdfast/manifest"
	"holdfast/remote"
)

// Client reaches the objects of GoToSocial's bucket. Objects have the storage keys
// as names; the client adds the server's prefix. Several goroutines may call a
// client. The client retries requests where a retry can help.
//
// A missing object is [fs.ErrNotExist]. An error of List or Put means that the
// bucket can't be used, and is a [remedy.Error]. An error of Stat or Open may
// concern one object only.
type Client interface {
	// List yields the objects whose names follow after, in byte order. List makes
	// one request for each 1,000 objects that the caller takes.
	List(ctx context.Context, after string) iter.Seq2[remote.Object, error]

	Stat(ctx context.Context, key string) (remote.Object, error)
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// Put stores size bytes of body as an object of the Content-Type.
	Put(ctx context.Context, key string, body io.ReaderAt, size int64, contentType string) error

	Close() error
}

// Bucket is the media in a bucket: GoToSocial's storage-backend s3.
type Bucket struct {
	bucket Client

	mu   sync.Mutex // guards page
	page page
}

// NewBucket returns the media that the client reaches. Closing the bucket closes the
// client.
func NewBucket(b Client) *Bucket { return &Bucket{bucket: b} }

// Reachable asks for the first object. Reachable also drops the listed objects: Stat
// may only use a listing that is newer than the rows that name the files.
func (b *Bucket) Reachable(ctx context.Context) error {
	b.mu.Lock()
	b.page = page{}
	b.mu.Unlock()
	for _, err := range b.bucket.List(ctx, "") {
		return err
	}
	return nil
}

// Stat returns the size, time and ETag of an object. Calls in byte order of the keys
// cost one request for each 1,000 objects of the bucket, or for each key if that is
// less.
func (b *Bucket) Stat(ctx context.Context, key string) (manifest.File, error) {
	o, found, err := b.find(ctx, key)
	if err == nil && !found {
		// The object is absent, the key out of order, or the listing in another order.
		o, err = b.bucket.Stat(ctx, key)
	}
	// GoToSocial gives this mode to the files of a media folder.
	return manifest.File{Size: o.Size, Mode: 0o644, Modified: o.Modified, ETag: o.ETag}, err
}

// Open opens an object.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.bucket.Open(ctx, key)
}

// Problem returns nil. [Bucket.Reachable] asks the bucket.
func (b *Bucket) Problem() error { return nil }

// Close closes the bucket.
func (b *Bucket) Close() error { return b.bucket.Close() }

// find looks up an object in the listing. A key that is out of order is never found.
func (b *Bucket) find(ctx context.Context, key string) (o remote.Object, found bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.page.before(key) {
		// The objects between the page and the key, usually remote media, are skipped.
		_, last := utf8.DecodeLastRuneInString(key)
		if b.page, err = b.read(ctx, key[:len(key)-last]); err != nil {
			return o, false, err
		}
	}
	o, found = b.page.find(key)
	return o, found, nil
}

// pageSize is the number of objects that one request lists.
const pageSize = 1000

// read reads the page of the listing that follows a name.
func (b *Bucket) read(ctx context.Context, after string) (page, error) {
	p := page{read: true, last: true}
	for o, err := range b.bucket.List(ctx, after) {
		if err != nil {
			return page{}, err
		}
		p.objects = append(p.objects, o)
		if len(p.objects) == pageSize {
			p.last = false
			break
		}
	}
	return p, nil
}

// page is a stretch of a bucket's listing.
type page struct {
	objects []remote.Object // in byte order
	read    bool
	last    bool // no object follows
}

// before reports whether the page ends before a key.
func (p *page) before(key string) bool {
	return !p.read || !p.last && key > p.objects[len(p.objects)-1].Name
}

func (p *page) find(key string) (o remote.Object, found bool) {
	byName := func(o remote.Object, name string) int { return strings.Compare(o.Name, name) }
	i, found := slices.BinarySearchFunc(p.objects, key, byName)
	if found {
		o = p.objects[i]
	}
	return o, found
}
