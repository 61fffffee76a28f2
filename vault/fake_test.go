package vault_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
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
	"testing"
	"time"

	"filippo.io/age"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remote"
	"holdfast/remote/remotetest"
	"holdfast/seal"
	"holdfast/vault"
)

// fake is an instance in memory. Its media have the database's word: a view
// names what is in rows.
type fake struct {
	pageSize int
	database []byte
	rows     map[string]bool
	media    map[string]entry
	files    map[string]entry

	// streams are the database's files where it has no pages.
	streams map[string][]byte

	broken map[string]error // media and streams that can't be opened
	unseen map[string]error // media that can't be described
	down   error            // why no media can be read
	onView func()           // called when a view begins
	onEnd  func()           // called when a view ends
	moment time.Time        // of each view; zero is the clock's
}

type entry struct {
	data     []byte
	modified time.Time
	etag     string
	link     manifest.Link
	folder   bool
}

var day = time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC)

func newFake(pages int) *fake {
	f := &fake{
		pageSize: 4096, rows: map[string]bool{}, media: map[string]entry{},
		files: map[string]entry{"etc/gotosocial/config.yaml": {data: []byte("host: example.org\n"), modified: day}},
	}
	for i := range pages {
		f.database = append(f.database, text(uint64(i), f.pageSize)...)
	}
	return f
}

// text is bytes that compress about as a database does.
func text(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]byte, n)
	for i := range out {
		out[i] = "etaoin shrdlu\x00\x00"[r.IntN(15)]
	}
	return out
}

func noise(seed uint64, n int) []byte {
	out := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 7}).Read(out)
	return out
}

func (f *fake) add(path string, data []byte) {
	f.rows[path] = true
	f.media[path] = entry{data: data, modified: day.Add(time.Duration(len(f.media)) * time.Second)}
}

// night changes every nth page, and adds a medium.
func (f *fake) night(n int, every int) {
	r := rand.New(rand.NewPCG(uint64(n), 2))
	for p := r.IntN(every); p*f.pageSize < len(f.database); p += 1 + r.IntN(2*every) {
		copy(f.database[p*f.pageSize:], text(r.Uint64(), f.pageSize))
	}
	f.database = append(f.database, text(r.Uint64(), f.pageSize*3)...)
	f.add(fmt.Sprintf("01A/attachment/original/N%04d.jpeg", n), noise(r.Uint64(), 20_000+r.IntN(100_000)))
}

func (f *fake) Begin(context.Context) (vault.View, error) {
	if f.onView != nil {
		f.onView()
	}
	return &fakeView{f: f, began: cmp.Or(f.moment, time.Now()), database: bytes.Clone(f.database),
		streams: maps.Clone(f.streams), media: slices.Sorted(maps.Keys(f.rows))}, nil
}

func (f *fake) get(part manifest.Part, path string) (entry, error) {
	from := f.media
	if part == manifest.Files {
		from = f.files
	}
	e, ok := from[path]
	if !ok {
		return e, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return e, nil
}

func (f *fake) Stat(_ context.Context, part manifest.Part, path string) (manifest.File, error) {
	if err := f.unseen[path]; err != nil {
		return manifest.File{}, err
	}
	e, err := f.get(part, path)
	return manifest.File{Size: int64(len(e.data)), Mode: 0o644, Modified: e.modified, ETag: e.etag}, err
}

func (f *fake) Reachable(context.Context) error { return f.down }

func (f *fake) Open(_ context.Context, part manifest.Part, path string) (io.ReadCloser, error) {
	if err := f.broken[path]; err != nil {
		return nil, err
	}
	e, err := f.get(part, path)
	if e.link != "" {
		return nil, fmt.Errorf("%s is a link, and was opened", path)
	}
	return io.NopCloser(bytes.NewReader(e.data)), err
}

func (f *fake) Files(context.Context) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		for _, p := range slices.Sorted(maps.Keys(f.files)) {
			e := f.files[p]
			file := manifest.File{
				Part: manifest.Files, Path: p, Size: int64(len(e.data)),
				Mode: 0o640, Modified: e.modified, User: "root:root", Link: e.link,
			}
			if e.folder {
				file = manifest.File{Part: manifest.Files, Path: p, Mode: 0o710, User: "root:root", Folder: true}
			}
			if !yield(file, nil) {
				return
			}
		}
	}
}

func (f *fake) Named(_ context.Context, paths []string) (map[string]bool, error) {
	named := map[string]bool{}
	for _, p := range paths {
		named[p] = f.rows[p]
	}
	return named, nil
}

type fakeView struct {
	f        *fake
	database []byte
	streams  map[string][]byte
	media    []string
	began    time.Time
	closed   bool
}

// Facts has nothing to tell while the view is open: the transaction would wait.
func (v *fakeView) Facts(context.Context) (manifest.Facts, time.Time) {
	if !v.closed {
		return manifest.Facts{}, time.Time{}
	}
	return manifest.Facts{Engine: "sqlite", Migration: "20250715095446"}, v.began
}

func (v *fakeView) Database() []manifest.File {
	if v.streams != nil {
		var files []manifest.File
		for _, p := range slices.Sorted(maps.Keys(v.streams)) {
			files = append(files, manifest.File{Path: p, Mode: 0o600})
		}
		return files
	}
	size := int64(len(v.database))
	return []manifest.File{{Path: "sqlite.db", Size: size, Mode: 0o600, Modified: day, PageSize: v.f.pageSize}}
}

func (v *fakeView) OpenDatabase(_ context.Context, path string) (io.ReadCloser, error) {
	if err := v.f.broken[path]; err != nil {
		return nil, err
	}
	if data, ok := v.streams[path]; ok {
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	return io.NopCloser(bytes.NewReader(v.database)), nil
}

func (v *fakeView) Media(context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, p := range v.media {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (v *fakeView) Close() error {
	v.closed = true
	if v.f.onEnd != nil {
		v.f.onEnd()
	}
	return nil
}

// world is a repository, its host and its owner.
type world struct {
	t        testing.TB
	store    remote.Store
	src      *fake
	host     *seal.Host
	identity age.Identity
	state    string
	cfg      vault.BackupConfig
}

// newOwner is a person with a key.
func newOwner(t testing.TB) (seal.Owner, age.Identity) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	testkit.OK(t, err)
	owner, err := seal.ParseOwner(identity.Recipient().String())
	testkit.OK(t, err)
	return owner, identity
}

// newRepository makes a repository in an empty remote, and returns the host's key.
func newRepository(
	ctx context.Context, store remote.Store, domain, version string, owners []seal.Owner,
) (*seal.Host, error) {
	f, err := vault.NewFounding(domain, version, owners)
	if err != nil {
		return nil, err
	}
	return f.Host, f.Publish(ctx, store)
}

func newWorld(t testing.TB, src *fake) *world {
	t.Helper()
	owner, identity := newOwner(t)
	w := &world{t: t, store: &remotetest.Memory{}, src: src, identity: identity, state: t.TempDir()}
	var err error
	if w.host, err = newRepository(t.Context(), w.store, "example.org", "test", []seal.Owner{owner}); err != nil {
		t.Fatal(err)
	}
	return w
}

// try backs up as one process would: index opened, used, closed.
func (w *world) try(ctx context.Context) (*vault.BackupReport, error) {
	w.t.Helper()
	idx, _, err := index.Open(w.state)
	testkit.OK(w.t, err)
	defer idx.Close()
	repo, err := vault.Open(ctx, w.store, w.host.Repository, idx)
	if err != nil {
		return nil, err
	}
	cfg := w.cfg
	cfg.Repository, cfg.Host, cfg.Index, cfg.State = repo, w.host, idx, w.state
	cfg.Database, cfg.Files = w.src, w.src
	return vault.Backup(ctx, cfg)
}

func (w *world) backup() *vault.BackupReport {
	w.t.Helper()
	report, err := w.try(w.t.Context())
	if err != nil {
		w.t.Fatal("backup:", err)
	}
	return report
}

func (w *world) open() *vault.Repository {
	w.t.Helper()
	repo, err := vault.Open(w.t.Context(), w.store, w.host.Repository, nil)
	if err != nil {
		w.t.Fatal("open:", err)
	}
	return repo
}

func (w *world) snapshot(which string) (*vault.Snapshot, error) {
	repo, err := vault.Open(w.t.Context(), w.store, w.host.Repository, nil)
	if err != nil {
		return nil, err
	}
	rec, err := repo.Find(w.t.Context(), which)
	if err != nil {
		return nil, err
	}
	keys, err := repo.Unlock(w.t.Context(), []age.Identity{w.identity})
	if err != nil {
		return nil, err
	}
	return repo.OpenSnapshot(rec, keys, w.t.TempDir())
}

// keys opens the repository's keys as the owner.
func (w *world) keys() *seal.Keys {
	w.t.Helper()
	keys, err := w.open().Unlock(w.t.Context(), []age.Identity{w.identity})
	testkit.OK(w.t, err)
	return keys
}

// folder is a target that puts files where the design does and mends nothing.
type folder struct{}

func (folder) PathOf(f manifest.File) (string, error) {
	switch f.Part {
	case manifest.Media:
		return "storage/" + f.Path, nil
	case manifest.Files:
		return "files/" + f.Path, nil
	}
	return f.Path, nil
}

func (folder) CheckDatabase(context.Context, *os.Root) (vault.Checked, error) {
	return vault.Checked{}, nil
}

func (folder) Finish(context.Context, *os.Root, vault.Restored) ([]string, error) { return nil, nil }

func (w *world) restore(which, dir string, cfg vault.RestoreConfig) (*vault.RestoreReport, error) {
	s, err := w.snapshot(which)
	if err != nil {
		return nil, err
	}
	return s.Restore(w.t.Context(), dir, folder{}, cfg)
}

// image is the instance as a restore must show it.
func (f *fake) image() map[string]string {
	out := map[string]string{}
	for p, data := range f.streams {
		out[p] = string(data)
	}
	if f.streams == nil {
		out["sqlite.db"] = string(f.database)
	}
	for p := range f.rows {
		if e, ok := f.media[p]; ok {
			out["storage/"+p] = string(e.data)
		}
	}
	for p, e := range f.files {
		out["files/"+p] = string(e.data)
		if e.link != "" {
			out["files/"+p] = "-> " + string(e.link)
		}
	}
	return out
}

// check restores a snapshot and compares every byte.
func (w *world) check(which string, want map[string]string) {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "out")
	if _, err := w.restore(which, dir, vault.RestoreConfig{}); err != nil {
		w.t.Fatalf("restore %s: %v", which, err)
	}
	compare(w.t, dir, want)
}

// compare compares all files and links below dir with want: for a file its bytes,
// for a link "-> " and the target.
func compare(t testing.TB, dir string, want map[string]string) {
	t.Helper()
	tree := map[string]string{}
	for name, data := range want {
		if !strings.HasPrefix(data, "-> ") {
			data = fmt.Sprintf("%x", sha256.Sum256([]byte(data)))
		}
		tree[name] = data
	}
	testkit.SameTree(t, dir, tree)
}

func (w *world) verify(data float64) *vault.VerifyReport {
	w.t.Helper()
	report, err := w.open().Verify(w.t.Context(), vault.VerifyConfig{Data: data})
	if err != nil {
		w.t.Fatal("verify:", err)
	}
	return report
}
