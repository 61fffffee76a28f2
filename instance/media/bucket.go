package media

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"holdfast/manifest"
	"holdfast/remote"
)

// Client is where an instance with storage-backend s3 keeps its media. Objects
// are named by storage key: the prefix that the server puts before it is the
// Bucket's business. The methods may be called concurrently, and repeat what is
// worth repeating.
//
// A missing object is [fs.ErrNotExist]. An error of List or Put means that the
// bucket can't be used, and is a [Problem]; one of Stat or Open may mean that
// only of an object.
type Client interface {
	// List yields the objects whose names come after a name, in byte order, all
	// of them after "". It makes a request for each 1,000 objects that are taken
	// from it.
	List(ctx context.Context, after string) iter.Seq2[remote.Object, error]

	Stat(ctx context.Context, key string) (remote.Object, error)
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// Put stores size bytes of body as an object of that Content-Type.
	Put(ctx context.Context, key string, body io.ReaderAt, size int64, contentType string) error

	Close() error
}

// Bucket is GoToSocial's storage-backend s3.
type Bucket struct {
	bucket Client

	mu   sync.Mutex // guards page
	page page
}

func NewBucket(b Client) *Bucket { return &Bucket{bucket: b} }

// Reachable asks for the first object. It forgets what was listed: a listing is
// of use only where it is newer than the rows that are looked up in it.
func (b *Bucket) Reachable(ctx context.Context) error {
	b.mu.Lock()
	b.page = page{}
	b.mu.Unlock()
	for _, err := range b.bucket.List(ctx, "") {
		return err
	}
	return nil
}

// Stat describes an object by size, time and ETag.
func (b *Bucket) Stat(ctx context.Context, key string) (manifest.File, error) {
	o, found, err := b.find(ctx, key)
	if err == nil && !found {
		// Absent, asked out of turn, or listed in an order that isn't S3's.
		o, err = b.bucket.Stat(ctx, key)
	}
	// GoToSocial gives its files this mode, where it makes files.
	return manifest.File{Size: o.Size, Mode: 0o644, Modified: o.Modified, ETag: o.ETag}, err
}

// Open reads an object.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.bucket.Open(ctx, key)
}

// Is is false: the media are in no folder.
func (b *Bucket) Is(fs.FileInfo) bool { return false }

// Close closes the bucket.
func (b *Bucket) Close() error { return b.bucket.Close() }

// find looks an object up in the listing. Whoever asks in byte order pays a
// request for each 1,000 objects of the bucket, or for each object that he asks
// for where that is less. found is false also for who doesn't ask in order.
func (b *Bucket) find(ctx context.Context, key string) (o remote.Object, found bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.page.before(key) {
		// What lies between the page and the key, remote media as a rule, is skipped.
		_, last := utf8.DecodeLastRuneInString(key)
		if b.page, err = b.read(ctx, key[:len(key)-last]); err != nil {
			return o, false, err
		}
	}
	o, found = b.page.find(key)
	return o, found, nil
}

// pageSize is what one request of a listing brings.
const pageSize = 1000

// read reads the page of the listing that comes after a name.
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
	last    bool // nothing comes after it
}

// before reports whether the page ends before a key would come.
func (p *page) before(key string) bool {
	return !p.read || !p.last && key > p.objects[len(p.objects)-1].Name
}

func (p *page) find(key string) (o remote.Object, found bool) {
	i, found := slices.BinarySearchFunc(p.objects, key, func(o remote.Object, key string) int { return strings.Compare(o.Name, key) })
	if found {
		o = p.objects[i]
	}
	return o, found
}
