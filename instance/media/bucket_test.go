package media_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/instance/media"
	"holdfast/internal/testkit"
	"holdfast/remote"
)

// bucket is a bucket in memory. The bucket counts its requests.
type bucket struct {
	mu      sync.Mutex // guards all fields below
	objects map[string]kept
	shuffle bool // List yields the objects in random order

	lists, stats, opens, puts int
}

type kept struct {
	data, etag, contentType string
	modified                time.Time
}

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newBucket(names ...string) *bucket {
	b := &bucket{objects: map[string]kept{}}
	for _, name := range names {
		b.set(name, "bytes of "+name)
	}
	return b
}

func (b *bucket) set(name, data string) {
	b.objects[name] = kept{data: data, etag: fmt.Sprintf("%x", md5.Sum([]byte(data))), modified: noon}
}

func (b *bucket) object(name string) remote.Object {
	o := b.objects[name]
	return remote.Object{Name: name, Size: int64(len(o.data)), Modified: o.modified, ETag: o.etag}
}

func (b *bucket) List(_ context.Context, after string) iter.Seq2[remote.Object, error] {
	return func(yield func(remote.Object, error) bool) {
		b.mu.Lock()
		names := slices.Sorted(maps.Keys(b.objects))
		b.mu.Unlock()
		names = slices.DeleteFunc(names, func(name string) bool { return name <= after })
		if b.shuffle {
			rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		}
		for i := 0; i == 0 || i < len(names); i++ {
			b.mu.Lock()
			if i%1000 == 0 {
				b.lists++
			}
			b.mu.Unlock()
			if i == len(names) || !yield(b.object(names[i]), nil) {
				return
			}
		}
	}
}

func (b *bucket) Stat(_ context.Context, key string) (remote.Object, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats++
	if _, ok := b.objects[key]; !ok {
		return remote.Object{}, fs.ErrNotExist
	}
	return b.object(key), nil
}

func (b *bucket) Open(_ context.Context, key string) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opens++
	o, ok := b.objects[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(o.data)), nil
}

func (b *bucket) Put(_ context.Context, key string, body io.ReaderAt, size int64, contentType string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts++
	data, err := io.ReadAll(io.NewSectionReader(body, 0, size))
	b.set(key, string(data))
	o := b.objects[key]
	o.contentType = contentType
	b.objects[key] = o
	return err
}

func (b *bucket) Close() error { return nil }

// reset clears the counters of requests.
func (b *bucket) reset() { b.lists, b.stats, b.opens, b.puts = 0, 0, 0, 0 }

func (b *bucket) holds(t *testing.T, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for name, o := range b.objects {
		got[name] = o.data
	}
	if !maps.Equal(got, want) {
		t.Errorf("the bucket holds %q, want %q", got, want)
	}
}

func TestUnchangedBucketCostsOneListing(t *testing.T) {
	b := newBucket()
	var local []string
	for n := range 2500 {
		key := fmt.Sprintf("01B/attachment/original/%04d.png", n)
		local = append(local, key)
		b.set(key, "x")
	}
	for n := range 20_000 { // of a remote account, between local ones
		b.set(fmt.Sprintf("01C/attachment/original/%05d.png", n), "x")
	}
	b.set("01D/attachment/original/0.png", "x")
	local = append(local, "01D/attachment/original/0.png")
	store := media.NewBucket(b)
	testkit.OK(t, store.Reachable(t.Context()))
	b.reset()
	for _, key := range local {
		_, err := store.Stat(t.Context(), key)
		testkit.OK(t, err)
	}
	if b.lists > 4 || b.stats != 0 {
		t.Errorf("%d lists and %d stats for %d media", b.lists, b.stats, len(local))
	}
}

func TestBucketStatWorksInAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		key := func() string { return fmt.Sprintf("%c/%d-ü", 'a'+r.IntN(3), r.IntN(2000)) }
		b := newBucket()
		b.shuffle = seed%4 == 3
		for range 3000 {
			b.set(key(), strings.Repeat("x", r.IntN(9)))
		}
		var asked []string
		for range 300 {
			asked = append(asked, key())
		}
		if seed%2 == 0 {
			slices.Sort(asked)
		}
		store := media.NewBucket(b)
		for _, key := range asked {
			f, err := store.Stat(t.Context(), key)
			o, ok := b.objects[key]
			if ok != (err == nil) || !ok && !errors.Is(err, fs.ErrNotExist) || f.ETag != o.etag ||
				f.Size != int64(len(o.data)) {
				t.Fatalf("seed %d: %s is %+v, %v", seed, key, f, err)
			}
		}
	}
}
