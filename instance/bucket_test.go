package instance_test

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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/remote"
)

// bucket is one in memory. It counts requests, and can be gone.
type bucket struct {
	mu      sync.Mutex // guards all below
	objects map[string]kept
	down    error
	shuffle bool // lists in an order of its own

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
		names, down := slices.Sorted(maps.Keys(b.objects)), b.down
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
			if down != nil {
				yield(remote.Object{}, down)
				return
			}
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
	if _, ok := b.objects[key]; !ok || b.down != nil {
		return remote.Object{}, errors.Join(fs.ErrNotExist, b.down)
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
	if b.down != nil {
		return b.down
	}
	data, err := io.ReadAll(io.NewSectionReader(body, 0, size))
	b.set(key, string(data))
	o := b.objects[key]
	o.contentType = contentType
	b.objects[key] = o
	return err
}

func (b *bucket) Close() error { return nil }

// reset forgets the requests.
func (b *bucket) reset() { b.lists, b.stats, b.opens, b.puts = 0, 0, 0, 0 }

// inBucket makes the small instance one whose media are in a bucket.
func inBucket(t testing.TB) (dir string) {
	t.Helper()
	dir = small(t, "WAL")
	if err := os.RemoveAll(filepath.Join(dir, "storage")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "config.yaml", "host: social.example.org\ndb-type: sqlite\ndb-address: "+
		"sqlite.db\nstorage-backend: s3\n"+
		"storage-s3-endpoint: s3.example.org\nstorage-s3-bucket: media\nstorage-s3-access-key: "+
		"a\nstorage-s3-secret-key: s\n")
	return dir
}

func TestBucketMediaAreTheMediaOfRows(t *testing.T) {
	b := newBucket(append(localMedia, "01D/attachment/original/01O.png", "orphan.png")...)
	i := openInstance(t, inBucket(t), instance.Options{Bucket: b})
	v := begin(t, i)
	b.reset()
	var keys []string
	for key, err := range v.Media(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
		f, err := i.Stat(t.Context(), manifest.Media, key)
		if err != nil || f.Size != int64(len("bytes of "+key)) || f.Mode != 0o644 || !f.Modified.Equal(noon) ||
			f.ETag != b.objects[key].etag {
			t.Errorf("%s: %+v, %v", key, f, err)
		}
		r, err := i.Open(t.Context(), manifest.Media, key)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(r); err != nil || string(data) != "bytes of "+key {
			t.Errorf("%s: %q, %v", key, data, err)
		}
		r.Close()
	}
	if !slices.Equal(keys, localMedia) || b.opens != len(localMedia) || b.lists != 1 || b.stats != 0 {
		t.Errorf("media %q, by %d lists, %d stats, %d opens", keys, b.lists, b.stats, b.opens)
	}
	for f, err := range i.Files(t.Context()) {
		if err != nil || !strings.HasSuffix(f.Path, "config.yaml") {
			t.Errorf("file %s, %v", f.Path, err)
		}
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
	i := openInstance(t, inBucket(t), instance.Options{Bucket: b})
	begin(t, i)
	b.reset()
	for _, key := range local {
		if _, err := i.Stat(t.Context(), manifest.Media, key); err != nil {
			t.Fatal(err)
		}
	}
	if b.lists > 4 || b.stats != 0 {
		t.Errorf("%d lists and %d stats for %d media", b.lists, b.stats, len(local))
	}
}

// Whatever the order of the questions and of the bucket, answers are true.
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
		i := openInstance(t, inBucket(t), instance.Options{Bucket: b})
		for _, key := range asked {
			f, err := i.Stat(t.Context(), manifest.Media, key)
			o, ok := b.objects[key]
			if ok != (err == nil) || !ok && !errors.Is(err, fs.ErrNotExist) || f.ETag != o.etag ||
				f.Size != int64(len(o.data)) {
				t.Fatalf("seed %d: %s is %+v, %v", seed, key, f, err)
			}
		}
	}
}

func TestListingIsNewerThanTheView(t *testing.T) {
	b := newBucket(localMedia...)
	i := openInstance(t, inBucket(t), instance.Options{Bucket: b})
	begin(t, i)
	if _, err := i.Stat(t.Context(), manifest.Media, localMedia[0]); err != nil {
		t.Fatal(err)
	}
	b.set(localMedia[1], "other bytes")
	begin(t, i)
	if f, err := i.Stat(t.Context(), manifest.Media, localMedia[1]); err != nil ||
		f.ETag != b.objects[localMedia[1]].etag {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestUnreachableBucketPreventsTheView(t *testing.T) {
	b := newBucket(localMedia...)
	b.down = &remedy.Error{Kind: remedy.Source, What: "the bucket is gone", Fix: "bring it back"}
	i := openInstance(t, inBucket(t), instance.Options{Bucket: b})
	if _, err := i.Begin(t.Context()); !errors.Is(err, b.down) {
		t.Errorf("Begin = %v", err)
	}
	if err := i.Reachable(t.Context()); !errors.Is(err, b.down) {
		t.Errorf("Reachable = %v", err)
	}
}

func TestUnusableBucketSettingIsNamed(t *testing.T) {
	whole := map[string]string{
		"host": "a.example", "db-type": "sqlite", "db-address": "a.db", "storage-backend": "s3",
		"storage-s3-endpoint": "s3.example", "storage-s3-bucket": "media", "storage-s3-access-key": "a", "storage-s3-secret-key": "geheim",
	}
	for key, value := range map[string]string{
		"storage-s3-endpoint": "", "storage-s3-bucket": "", "storage-s3-access-key": "", "storage-s3-secret-key": "", "storage-s3-use-ssl": "maybe",
	} {
		env := []string{"GTS_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_")) + "=" + value}
		for k, v := range whole {
			if k != key {
				env = append(env, "GTS_"+strings.ToUpper(strings.ReplaceAll(k, "-", "_"))+"="+v)
			}
		}
		c, err := gotosocial.Load("", env)
		if err != nil {
			t.Fatal(err)
		}
		_, err = instance.Open(c, instance.Options{Bucket: newBucket()})
		var p *remedy.Error
		if !errors.As(err, &p) || !strings.Contains(p.What, key) || p.Fix == "" ||
			strings.Contains(p.What+p.Fix, "geheim") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// restored makes a restored storage folder.
func restored(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, dir, name, text)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

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

func TestFillingUploadsMissingFiles(t *testing.T) {
	files := map[string]string{"a/x.PNG": "1", "a-b": "22", "a/y.webp": "333", "a.mp4": "4444", "empty": ""}
	b := newBucket()
	f := media.Filling{From: restored(t, files), To: b}
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.holds(t, files)
	if f.Files.Load() != 5 || f.Put.Load() != 5 || f.Bytes.Load() != 10 {
		t.Errorf("%d files, %d put, %d bytes", f.Files.Load(), f.Put.Load(), f.Bytes.Load())
	}
	for name, want := range map[string]string{"a/x.PNG": "image/png", "a/y.webp": "image/webp", "a.mp4": "video/mp4",
		"a-b": "application/octet-stream"} {
		if got := b.objects[name].contentType; got != want {
			t.Errorf("%s is served as %s, want %s", name, got, want)
		}
	}

	// Other bytes are mended, by size and by MD5; of an object put in parts only
	// the size is known.
	b.set("a-b", "xx")
	b.set("a/x.PNG", "longer")
	b.objects["a.mp4"] = kept{data: "xxxx", etag: "0123456789abcdef0123456789abcdef-2"}
	b.objects["a/y.webp"] = kept{data: "longer", etag: "0123456789abcdef0123456789abcdef-2"}
	delete(b.objects, "empty")
	b.reset()
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	files["a.mp4"] = "xxxx"
	b.holds(t, files)
	if b.puts != 4 || f.Files.Load() != 5 || f.Put.Load() != 4 || b.stats != 0 || b.lists > 2 {
		t.Errorf("%d puts, %d lists, %d stats", b.puts, b.lists, b.stats)
	}
}

func TestFillingRefusesForeignObjects(t *testing.T) {
	files := map[string]string{"a/x.png": "1", "b": "2"}
	for _, foreign := range []string{"a/z.png", "a", "/abs", "../up", "zz"} {
		b := newBucket(foreign)
		f := media.Filling{From: restored(t, files), To: b}
		err := f.Start(t.Context())
		var p *remedy.Error
		if !errors.As(err, &p) || p.Kind != remedy.Refused || !strings.Contains(p.What, foreign) || p.Fix == "" ||
			b.puts != 0 {
			t.Errorf("%s: %v, %d puts", foreign, err, b.puts)
		}
		if err := f.Resume(t.Context()); err != nil {
			t.Errorf("%s: %v", foreign, err)
		}
		b.holds(t, map[string]string{"a/x.png": "1", "b": "2", foreign: "bytes of " + foreign})
	}
}

func TestFillingListsALargeBucketOnce(t *testing.T) {
	files := map[string]string{}
	for n := range 3000 {
		files[fmt.Sprintf("%d/%d-%d.png", n%7, n%3, n)] = "x"
		files[fmt.Sprintf("%d/%d/%d.png", n%7, n%3, n)] = "x"
	}
	b := newBucket()
	for name, text := range files {
		b.set(name, text)
	}
	f := media.Filling{From: restored(t, files), To: b}
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.Files.Load() != 6000 || b.puts != 0 || b.lists > 14 {
		t.Errorf("%d files, %d puts, %d lists", f.Files.Load(), b.puts, b.lists)
	}
}

func TestFillingStopsAtAnError(t *testing.T) {
	files := map[string]string{}
	for n := range 100 {
		files[fmt.Sprint(n)] = "x"
	}
	b := newBucket()
	f := media.Filling{From: restored(t, files), To: &full{b}}
	if err := f.Start(t.Context()); !errors.Is(err, errFull) {
		t.Errorf("Start = %v", err)
	}
	if b.puts > 20 {
		t.Errorf("%d puts after the bucket was full", b.puts)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&media.Filling{From: f.From, To: b}).Resume(stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("Resume when cancelled = %v", err)
	}
}

var errFull = errors.New("full")

// full is a bucket that takes ten objects.
type full struct{ *bucket }

func (f *full) Put(ctx context.Context, key string, body io.ReaderAt, size int64, contentType string) error {
	f.mu.Lock()
	n := len(f.objects)
	f.mu.Unlock()
	if n >= 10 {
		return errFull
	}
	return f.bucket.Put(ctx, key, body, size, contentType)
}
