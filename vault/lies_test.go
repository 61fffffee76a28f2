package vault_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remote"
	"holdfast/remote/remotetest"
	"holdfast/seal"
	"holdfast/vault"
)

// maxHostile bounds the memory that a hostile object may cost, in bytes.
const maxHostile = 128 << 20

// allocated returns the bytes that do allocates in all, which bound the memory at
// any moment.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// longer is a store that gives an object more bytes than the LIST shows.
type longer struct {
	remote.Store
	object string
}

func (l longer) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if name == l.object {
		return io.NopCloser(io.LimitReader(zeros{}, 1<<40)), nil
	}
	return l.Store.Get(ctx, name)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestObjectWithMoreBytesThanListedIsNotReadToItsEnd(t *testing.T) {
	w := newWorld(t, newFake(2))
	w.backup()
	junk := []byte("small")
	object := manifest.RecordObject(sha256.Sum256(junk))
	w.plant(object, junk)
	w.store = longer{w.store, object}
	cost := allocated(func() { w.backup() })
	if warnings := strings.Join(w.open().Warnings, "\n"); cost > maxHostile || !strings.Contains(warnings, object) {
		t.Errorf("%d MiB, %.300q", cost>>20, warnings)
	}
}

// age quotes a malformed line of a header as a whole.
func TestPackWithALongHeaderIsDamageInFewWords(t *testing.T) {
	w := newWorld(t, sample())
	media := w.backup().Record.Packs[manifest.Media][0]
	header := "age-encryption.org/v1\n" + strings.Repeat("\x00", 1<<20) + "\n"
	w.plant(media.Object(), append([]byte(header), make([]byte, media.Size)...)[:media.Size])
	var err error
	cost := allocated(func() { _, err = w.restore("latest", t.TempDir(), vault.RestoreConfig{}) })
	if text := fmt.Sprint(err); err == nil || cost > maxHostile || len(text) > 1000 {
		t.Errorf("%d MiB, %d bytes: %.300s", cost>>20, len(text), text)
	}
}

// flooded is a store whose LIST never ends.
type flooded struct {
	remote.Store
	name func(n int) string
	most int
}

func (f flooded) List(ctx context.Context, prefix string) iter.Seq2[remote.Object, error] {
	return func(yield func(remote.Object, error) bool) {
		for o, err := range f.Store.List(ctx, prefix) {
			if !yield(o, err) {
				return
			}
		}
		for n := range f.most {
			if !yield(remote.Object{Name: f.name(n), Size: 1}, nil) {
				return
			}
		}
	}
}

func TestFloodedListIsGivenUp(t *testing.T) {
	w := newWorld(t, newFake(2))
	w.backup()
	store := w.store
	w.store = flooded{store, func(n int) string { return fmt.Sprintf("packs/%064x", n) }, 1 << 30}
	if _, err := w.try(t.Context()); err == nil || !strings.Contains(err.Error(), "given up") {
		t.Errorf("packs without an end: %v", err)
	}
	long := strings.Repeat("x", 2000)
	w.store = flooded{store, func(n int) string { return fmt.Sprintf("other/%d%s", n, long) }, 12_000}
	foreign := w.verify(0).Foreign
	if len(foreign) < 100 || len(foreign) > 10_000 || len(foreign[0]) > 110 {
		t.Errorf("%d foreign objects, such as %.200q", len(foreign), foreign[:1])
	}
	w.backup()
}

// A program has 128 MiB for everything, and keeps the LIST for its whole run.
func TestLongestListCostsLittleMemory(t *testing.T) {
	w := newWorld(t, newFake(2))
	w.backup()
	w.store = flooded{w.store, func(n int) string { return fmt.Sprintf("packs/%064x", n) }, 500_000}
	heap := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := heap()
	repo := w.open()
	if cost := (heap() - before) >> 20; cost > 56 {
		t.Errorf("500,000 packs cost %d MiB", cost)
	}
	if len(repo.Warnings) != 1 || !strings.Contains(repo.Warnings[0], "at most 524288") {
		t.Errorf("warnings %q", repo.Warnings)
	}
	if report := w.verify(0); report.Unneeded != 500_000 {
		t.Errorf("%d objects that no snapshot needs", report.Unneeded)
	}
}

func TestManyJunkRecordsAreFewWarnings(t *testing.T) {
	w := newWorld(t, newFake(2))
	w.backup()
	for n := range 100 {
		text := fmt.Appendf(nil, "junk %d\n", n)
		w.plant(manifest.RecordObject(sha256.Sum256(text)), text)
	}
	if report := w.backup(); len(report.Warnings) > 25 {
		t.Errorf("%d warnings", len(report.Warnings))
	}
	if problems := w.verify(0).Problems; len(problems) != 100 {
		t.Errorf("verify names %d", len(problems))
	}
}

func TestManyForeignRootsAreOneShortError(t *testing.T) {
	w := newWorld(t, newFake(2))
	owner, _ := newOwner(t)
	for range 12 {
		f, err := vault.NewFounding(strings.Repeat("evil.", 500)+"example", "test", []seal.Owner{owner})
		testkit.OK(t, err)
		other := &remotetest.Memory{}
		testkit.OK(t, f.Publish(t.Context(), other))
		for name, data := range objects(t, other) {
			w.plant(name, data)
		}
	}
	_, err := vault.Open(t.Context(), w.store, seal.RepositoryID{}, nil)
	if !errors.Is(err, vault.ErrOtherRoot) || len(err.Error()) > 2000 || !strings.Contains(err.Error(), "more") {
		t.Errorf("%.3000v", err)
	}
}
