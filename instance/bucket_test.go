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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/remote"
)

// bucket is a bucket in memory. The bucket counts its requests.
type bucket struct {
	objects map[string]kept
	down    error // the error of all requests, if not nil

	lists, stats, opens int
}

type kept struct{ data, etag string }

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newBucket(names ...string) *bucket {
	b := &bucket{objects: map[string]kept{}}
	for _, name := range names {
		b.set(name, "bytes of "+name)
	}
	return b
}

func (b *bucket) set(name, data string) {
	b.objects[name] = kept{data: data, etag: fmt.Sprintf("%x", md5.Sum([]byte(data)))}
}

func (b *bucket) object(name string) remote.Object {
	o := b.objects[name]
	return remote.Object{Name: name, Size: int64(len(o.data)), Modified: noon, ETag: o.etag}
}

func (b *bucket) List(_ context.Context, after string) iter.Seq2[remote.Object, error] {
	return func(yield func(remote.Object, error) bool) {
		b.lists++
		if b.down != nil {
			yield(remote.Object{}, b.down)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(b.objects)) {
			if name > after && !yield(b.object(name), nil) {
				return
			}
		}
	}
}

func (b *bucket) Stat(_ context.Context, key string) (remote.Object, error) {
	b.stats++
	if _, ok := b.objects[key]; !ok || b.down != nil {
		return remote.Object{}, errors.Join(fs.ErrNotExist, b.down)
	}
	return b.object(key), nil
}

func (b *bucket) Open(_ context.Context, key string) (io.ReadCloser, error) {
	b.opens++
	o, ok := b.objects[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(o.data)), nil
}

func (b *bucket) Put(context.Context, string, io.ReaderAt, int64, string) error {
	return errors.ErrUnsupported // a backup puts no media
}

func (b *bucket) Close() error { return nil }

// reset clears the counters of requests.
func (b *bucket) reset() { b.lists, b.stats, b.opens = 0, 0, 0 }

// inBucket returns the folder of the small instance, with a configuration that has the
// media in a bucket.
func inBucket(t testing.TB) (dir string) {
	t.Helper()
	dir = small(t, "WAL")
	if err := os.RemoveAll(filepath.Join(dir, "storage")); err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, filepath.Join(dir, "config.yaml"), "host: social.example.org\ndb-type: sqlite\ndb-address: "+
		"sqlite.db\nstorage-backend: s3\n"+
		"storage-s3-endpoint: s3.example.org\nstorage-s3-bucket: media\nstorage-s3-access-key: "+
		"a\nstorage-s3-secret-key: s\n")

	return dir
}

func TestBucketMediaAreTheMediaOfRows(t *testing.T) {
	b := newBucket(append(testkit.LocalMedia, "01D/attachment/original/01O.png", "orphan.png")...)
	i := instancetest.Open(t, inBucket(t), instance.Options{Bucket: b})
	v := instancetest.Begin(t, i)
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
	if !slices.Equal(keys, testkit.LocalMedia) || b.opens != len(testkit.LocalMedia) || b.lists != 1 || b.stats != 0 {
		t.Errorf("media %q, by %d lists, %d stats, %d opens", keys, b.lists, b.stats, b.opens)
	}
	for f, err := range i.Files(t.Context()) {
		if err != nil || !f.Folder && !strings.HasSuffix(f.Path, "config.yaml") {
			t.Errorf("file %s, %v", f.Path, err)
		}
	}
}

func TestListingIsNewerThanTheView(t *testing.T) {
	b := newBucket(testkit.LocalMedia...)
	i := instancetest.Open(t, inBucket(t), instance.Options{Bucket: b})
	instancetest.Begin(t, i)
	if _, err := i.Stat(t.Context(), manifest.Media, testkit.LocalMedia[0]); err != nil {
		t.Fatal(err)
	}
	b.set(testkit.LocalMedia[1], "other bytes")
	instancetest.Begin(t, i)
	if f, err := i.Stat(t.Context(), manifest.Media, testkit.LocalMedia[1]); err != nil ||
		f.ETag != b.objects[testkit.LocalMedia[1]].etag {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestUnreachableBucketPreventsTheView(t *testing.T) {
	b := newBucket(testkit.LocalMedia...)
	b.down = &remedy.Error{Kind: remedy.Source, What: "the bucket is gone", Fix: "bring it back"}
	i := instancetest.Open(t, inBucket(t), instance.Options{Bucket: b})
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
		"storage-s3-endpoint": "s3.example", "storage-s3-bucket": "media", "storage-s3-access-key": "a",
		"storage-s3-secret-key": "geheim",
	}
	for key, value := range map[string]string{
		"storage-s3-endpoint": "", "storage-s3-bucket": "", "storage-s3-access-key": "",
		"storage-s3-secret-key": "", "storage-s3-use-ssl": "maybe",
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
