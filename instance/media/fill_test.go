package media_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/media"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// restored returns a restored storage folder with the files.
func restored(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		testkit.Write(t, filepath.Join(dir, name), text)
	}
	root, err := os.OpenRoot(dir)
	testkit.OK(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}

func TestFillingUploadsMissingFiles(t *testing.T) {
	files := map[string]string{"a/x.PNG": "1", "a-b": "22", "a/y.webp": "333", "a.mp4": "4444", "empty": ""}
	b := newBucket()
	f := media.Filling{From: restored(t, files), To: b}
	testkit.OK(t, f.Start(t.Context()))
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
	testkit.OK(t, f.Start(t.Context()))
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
	testkit.OK(t, f.Start(t.Context()))
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

// full is a bucket with room for ten objects.
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
