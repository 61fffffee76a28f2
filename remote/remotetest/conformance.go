// Package remotetest helps tests of remotes and of packages with remotes: a
// conformance suite for every driver, a store in memory, faulty and slow stores,
// and a real MinIO.
package remotetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/remote"
)

// Run checks every promise of [remote.Store]. open returns an empty store; Run
// closes it.
func Run(t *testing.T, open func(t *testing.T) remote.Store) {
	run(t, open, map[string]func(*testing.T, remote.Store){
		"PutThenGet":                 putThenGet,
		"EmptyObject":                emptyObject,
		"LargeObject":                largeObject,
		"PutTwice":                   putTwice,
		"PutReadsFromTheStart":       putReadsFromTheStart,
		"OtherBytesAreRefused":       otherBytesAreRefused,
		"ShortBodyIsRefused":         shortBodyIsRefused,
		"BodyErrorIsReported":        bodyErrorIsReported,
		"NamesAreChecked":            namesAreChecked,
		"MissingIsErrNotExist":       missingIsErrNotExist,
		"ListByKind":                 listByKind,
		"ListMayStopEarly":           listMayStopEarly,
		"ListIsWholeBeyondPages":     listIsWholeBeyondPages,
		"ConcurrentPutsOfOneObject":  concurrentPutsOfOneObject,
		"CancelledContext":           cancelledContext,
		"CancelledPutLeavesNoPieces": cancelledPutLeavesNoPieces,
		"GetMayBeClosedEarly":        getMayBeClosedEarly,
	})
}

// RunPruner checks every promise of [remote.Pruner]. open returns an empty
// store that is a Pruner; RunPruner closes it.
func RunPruner(t *testing.T, open func(t *testing.T) remote.Store) {
	run(t, open, map[string]func(*testing.T, remote.Store){
		"DeleteRemoves":                  deleteRemoves,
		"DeleteOfAMissingObject":         deleteOfAMissingObject,
		"DeleteChecksNames":              deleteChecksNames,
		"DeleteEndsWithCancelledContext": deleteEndsWithCancelledContext,
	})
}

func run(t *testing.T, open func(t *testing.T) remote.Store, checks map[string]func(*testing.T, remote.Store)) {
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			defer s.Close()
			check(t, s)
		})
	}
}

// RunForeign checks that List shows foreign files. plant puts data into the empty
// store, but not by Put.
func RunForeign(t *testing.T, s remote.Store, plant func(name string, data []byte)) {
	ours := put(t, s, "packs", []byte("ours"))
	for _, name := range []string{"README", "packs/notes.txt", "packs/deep/er/file", "other folder/ä%20+&"} {
		plant(name, []byte("foreign"))
	}
	want := []string{"README", "other folder/ä%20+&", "packs/deep/er/file", "packs/notes.txt", ours}
	slices.Sort(want)
	if got := names(list(t, s, "")); !slices.Equal(got, want) {
		t.Errorf("List = %q, want %q", got, want)
	}
	if got := list(t, s, "")["README"].Size; got != 7 {
		t.Errorf("size of README = %d, want 7", got)
	}
}

func putThenGet(t *testing.T, s remote.Store) {
	data := []byte("some bytes")
	name := put(t, s, "packs", data)
	if got := get(t, s, name); !bytes.Equal(got, data) {
		t.Errorf("Get = %q, want %q", got, data)
	}
	listed, ok := list(t, s, "")[name]
	if !ok || listed.Size != int64(len(data)) || time.Since(listed.Modified).Abs() > time.Hour {
		t.Errorf("List shows %+v", listed)
	}
}

func emptyObject(t *testing.T, s remote.Store) {
	name := put(t, s, "packs", nil)
	if got := get(t, s, name); len(got) != 0 {
		t.Errorf("Get = %q, want nothing", got)
	}
	if got, ok := list(t, s, "packs/")[name]; !ok || got.Size != 0 {
		t.Errorf("List shows %+v", got)
	}
}

func largeObject(t *testing.T, s remote.Store) {
	data := random(16 << 20)
	if got := get(t, s, put(t, s, "packs", data)); !bytes.Equal(got, data) {
		t.Error("Get returned other bytes")
	}
}

func putTwice(t *testing.T, s remote.Store) {
	data := random(1000)
	name := put(t, s, "packs", data)
	put(t, s, "packs", data)
	if got := get(t, s, name); !bytes.Equal(got, data) {
		t.Error("Get returned other bytes")
	}
	if got := list(t, s, ""); len(got) != 1 {
		t.Errorf("List = %v, want one object", got)
	}
}

// putReadsFromTheStart puts the start of a body that was read before.
func putReadsFromTheStart(t *testing.T, s remote.Store) {
	data := []byte("object and more")
	body := bytes.NewReader(data)
	if _, err := body.Seek(3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	name := Name("packs", data[:6])
	if err := s.Put(t.Context(), name, body, 6); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, name); string(got) != "object" {
		t.Errorf("Get = %q", got)
	}
}

func otherBytesAreRefused(t *testing.T, s remote.Store) {
	for _, size := range []int{10, 5 << 20} {
		data := random(size)
		name := Name("packs", random(size))
		if err := s.Put(t.Context(), name, bytes.NewReader(data), int64(len(data))); err == nil {
			t.Error("Put stored bytes under the name of other bytes")
		}
		isMissing(t, s, name)
	}
}

func shortBodyIsRefused(t *testing.T, s remote.Store) {
	data := random(100)
	name := Name("packs", data)
	err := s.Put(t.Context(), name, bytes.NewReader(data), 101)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Put of a body that is too short = %v, want ErrUnexpectedEOF", err)
	}
	isMissing(t, s, name)
}

func bodyErrorIsReported(t *testing.T, s remote.Store) {
	data := random(1 << 20)
	name := Name("packs", data)
	broken := errors.New("bad sector")
	err := s.Put(t.Context(), name, failingAt{bytes.NewReader(data), 500_000, broken}, 1<<20)
	if !errors.Is(err, broken) || errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("Put = %v, want the body's error, and no blame on the storage", err)
	}
	isMissing(t, s, name)
}

func namesAreChecked(t *testing.T, s remote.Store) {
	for _, name := range badNames() {
		ctx := t.Context()
		_, getErr := s.Get(ctx, name)
		for op, err := range map[Op]error{Put: s.Put(ctx, name, bytes.NewReader(nil), 0), Get: getErr} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%v of %q = %v, want fs.ErrInvalid", op, name, err)
			}
		}
	}
}

func deleteChecksNames(t *testing.T, s remote.Store) {
	for _, name := range badNames() {
		if err := pruner(t, s).Delete(t.Context(), name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Delete of %q = %v, want fs.ErrInvalid", name, err)
		}
	}
}

// badNames are names that [remote.CheckName] refuses.
func badNames() []string {
	sum := Name("packs", nil)[len("packs/"):]
	return []string{
		"", "packs", "packs/", sum, "/" + sum, "packs/" + sum[1:], "packs/" + sum + "00", "tmp/" + sum, "Packs/" + sum,
		"packs/../../" + sum, "../" + sum, "packs/x/" + sum, "packs/" + strings.ToUpper(sum), "pa cks/" + sum,
	}
}

func missingIsErrNotExist(t *testing.T, s remote.Store) {
	isMissing(t, s, Name("packs", []byte("never stored")))
	put(t, s, "packs", []byte("something"))
	isMissing(t, s, Name("packs", []byte("never stored")))
}

func deleteRemoves(t *testing.T, s remote.Store) {
	name, other := put(t, s, "packs", []byte("one")), put(t, s, "packs", []byte("two"))
	for range 2 {
		if err := pruner(t, s).Delete(t.Context(), name); err != nil {
			t.Fatalf("Delete = %v", err)
		}
	}
	isMissing(t, s, name)
	if got := names(list(t, s, "")); !slices.Equal(got, []string{other}) {
		t.Errorf("List = %q, want %q", got, other)
	}
}

func deleteOfAMissingObject(t *testing.T, s remote.Store) {
	missing := Name("packs", []byte("never stored"))
	if err := pruner(t, s).Delete(t.Context(), missing); err != nil {
		t.Errorf("Delete in an empty store = %v", err)
	}
	name := put(t, s, "packs", []byte("something"))
	if err := pruner(t, s).Delete(t.Context(), missing); err != nil {
		t.Errorf("Delete of a missing object = %v", err)
	}
	if got := names(list(t, s, "")); !slices.Equal(got, []string{name}) {
		t.Errorf("List = %q, want %q", got, name)
	}
}

func listByKind(t *testing.T, s remote.Store) {
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("List of an empty store = %v", got)
	}
	pack, snapshot := put(t, s, "packs", []byte("a")), put(t, s, "snapshots", []byte("a"))
	for prefix, want := range map[string][]string{
		"": {pack, snapshot}, "packs/": {pack}, "snapshots/": {snapshot}, "keys/": nil,
	} {
		if got := names(list(t, s, prefix)); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
	}
}

func listMayStopEarly(t *testing.T, s remote.Store) {
	for i := range 3 {
		put(t, s, "packs", []byte{byte(i)})
	}
	for _, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
}

// listIsWholeBeyondPages stores more objects than S3 lists in one answer.
func listIsWholeBeyondPages(t *testing.T, s remote.Store) {
	const n = 1100
	want := make([]string, n)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for i := range want {
		data := fmt.Appendf(nil, "%d", i)
		want[i] = Name("packs", data)
		group.Go(func() error {
			return s.Put(ctx, want[i], bytes.NewReader(data), int64(len(data)))
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	for _, prefix := range []string{"", "packs/"} {
		if got := names(list(t, s, prefix)); !slices.Equal(got, want) {
			t.Errorf("List(%q) shows %d objects, want %d", prefix, len(got), n)
		}
	}
}

func concurrentPutsOfOneObject(t *testing.T, s remote.Store) {
	data := random(100_000)
	name := Name("packs", data)
	group, ctx := errgroup.WithContext(t.Context())
	for range 8 {
		group.Go(func() error { return s.Put(ctx, name, bytes.NewReader(data), int64(len(data))) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, name); !bytes.Equal(got, data) {
		t.Error("Get returned other bytes")
	}
	if got := list(t, s, ""); len(got) != 1 {
		t.Errorf("List = %v, want one object", got)
	}
}

func cancelledContext(t *testing.T, s remote.Store) {
	data := []byte("stored")
	name := put(t, s, "packs", data)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := s.Get(ctx, name)
	var listErr error
	for _, err := range s.List(ctx, "") {
		listErr = err
	}
	other := []byte("not stored")
	for op, err := range map[Op]error{
		Get: getErr, List: listErr,
		Put: s.Put(ctx, Name("packs", other), bytes.NewReader(other), int64(len(other))),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v = %v, want context.Canceled", op, err)
		}
	}
	if got := names(list(t, s, "")); !slices.Equal(got, []string{name}) {
		t.Errorf("List = %q, want %q", got, name)
	}
}

func deleteEndsWithCancelledContext(t *testing.T, s remote.Store) {
	name := put(t, s, "packs", []byte("stored"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pruner(t, s).Delete(ctx, name); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete = %v, want context.Canceled", err)
	}
	if got := names(list(t, s, "")); !slices.Equal(got, []string{name}) {
		t.Errorf("List = %q, want %q", got, name)
	}
}

func cancelledPutLeavesNoPieces(t *testing.T, s remote.Store) {
	data := random(4 << 20)
	name := Name("packs", data)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Put(ctx, name, cancelling{bytes.NewReader(data), cancel}, int64(len(data)))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want context.Canceled", err)
	}
	clear(data) // after Put the body belongs to the caller: see the race detector
	isMissing(t, s, name)
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("List = %v, want nothing", got)
	}
}

func getMayBeClosedEarly(t *testing.T, s remote.Store) {
	data := random(4 << 20)
	name := put(t, s, "packs", data)
	for range 3 {
		body, err := s.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(body, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if err := body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, s, name); !bytes.Equal(got, data) {
		t.Error("Get returned other bytes")
	}
}

func put(t *testing.T, s remote.Store, kind string, data []byte) string {
	t.Helper()
	name := Name(kind, data)
	if err := s.Put(t.Context(), name, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	return name
}

func get(t *testing.T, s remote.Store, name string) []byte {
	t.Helper()
	body, err := s.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func list(t *testing.T, s remote.Store, prefix string) map[string]remote.Object {
	t.Helper()
	objects := map[string]remote.Object{}
	for object, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := objects[object.Name]; ok {
			t.Errorf("List shows %s twice", object.Name)
		}
		objects[object.Name] = object
	}
	return objects
}

func names(objects map[string]remote.Object) []string {
	return slices.Sorted(maps.Keys(objects))
}

func isMissing(t *testing.T, s remote.Store, name string) {
	t.Helper()
	body, err := s.Get(t.Context(), name)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get = %v, want fs.ErrNotExist", err)
	}
	if err == nil {
		body.Close()
	}
}

// pruner returns the store as a Pruner.
func pruner(t *testing.T, s remote.Store) remote.Pruner {
	t.Helper()
	p, ok := s.(remote.Pruner)
	if !ok {
		t.Fatalf("%T is not a remote.Pruner", s)
	}
	return p
}

func random(n int) []byte {
	data := make([]byte, n)
	rand.Read(data)
	return data
}

// failingAt is a body that fails beyond an offset.
type failingAt struct {
	io.ReaderAt
	limit int64
	err   error
}

func (f failingAt) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > f.limit {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, offset)
}

// cancelling is a body that cancels the context in the middle.
type cancelling struct {
	*bytes.Reader
	cancel context.CancelFunc
}

func (c cancelling) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > c.Size()/2 {
		c.cancel()
	}
	return c.Reader.ReadAt(p, offset)
}
