package vault_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remote/remotetest"
	"holdfast/vault"
)

// readOnly is an instance with read-only media.
type readOnly struct{ *fake }

func (r readOnly) Stat(ctx context.Context, part manifest.Part, path string) (manifest.File, error) {
	f, err := r.fake.Stat(ctx, part, path)
	f.Mode = 0o444
	return f, err
}

// stopping is a target that ends the run in Finish.
type stopping struct{ folder }

func (stopping) Finish(context.Context, *os.Root, vault.Restored) ([]string, error) {
	return nil, context.Canceled
}

func TestInterruptedRestoreContinuesOverReadOnlyFiles(t *testing.T) {
	if testkit.RunAsNobody(t) { // root may read and write everything
		return
	}
	f := newFake(20)
	for i := range 40 {
		f.add(fmt.Sprintf("01A/attachment/original/M%03d.jpeg", i), noise(uint64(i), 300_000))
	}
	f.add("01A/attachment/original/video.mp4", noise(99, 9<<20)) // in pieces
	f.add("01B/emoji/static/empty.png", nil)                     // without any
	w := newWorld(t, f)
	report, err := w.backupOf(readOnly{f}, vault.BackupConfig{})
	testkit.OK(t, err)
	dir := filepath.Join(t.TempDir(), "out")
	w.stopAmidMedia(report.Record, dir, folder{})
	if n := finished(t, dir, 0o444); n == 0 {
		t.Fatal("no file was finished in a pack that is not: this shows nothing")
	}
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	if _, err := s.Restore(t.Context(), dir, stopping{}, vault.RestoreConfig{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := finished(t, dir, 0o444); n != len(f.media) {
		t.Fatalf("%d media were finished, want all %d", n, len(f.media))
	}
	if report, err := w.restore("latest", dir, vault.RestoreConfig{}); err != nil || !report.Resumed {
		t.Fatalf("%+v, %v", report, err)
	}
	compare(t, dir, f.image())
	if n := finished(t, dir, 0o444); n != len(f.media) {
		t.Errorf("%d media have their mode, want all %d", n, len(f.media))
	}
}

// The plan of another version is made anew, and what it fetched with it.
func TestRestoreWithoutAPlanStartsOver(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	dir := filepath.Join(t.TempDir(), "out")
	tree := filepath.Join(dir, ".holdfast-restore", "tree")
	testkit.OK(t, os.MkdirAll(filepath.Join(tree, "storage"), 0o700))
	testkit.OK(t, os.WriteFile(filepath.Join(tree, "storage", "stray"), nil, 0o600))
	if report, err := w.restore("latest", dir, vault.RestoreConfig{}); err != nil || report.Resumed {
		t.Fatalf("%+v, %v", report, err)
	}
	compare(t, dir, w.src.image())

	// Half of it is in place already: nobody can tell what is whole.
	half := filepath.Join(t.TempDir(), "half")
	tree = filepath.Join(half, ".holdfast-restore", "tree")
	testkit.OK(t, os.MkdirAll(filepath.Join(tree, "storage"), 0o700))
	testkit.OK(t, os.Mkdir(filepath.Join(half, "files"), 0o700))
	if _, err := w.restore("latest", half, vault.RestoreConfig{}); !errors.Is(err, vault.ErrRefused) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(tree, "storage")); err != nil {
		t.Error(err)
	}
}

// stopAmidMedia begins a restore for which the store's replies end in the middle
// of media packs.
func (w *world) stopAmidMedia(rec *manifest.Record, dir string, target vault.Target) {
	w.t.Helper()
	whole := w.store
	defer func() { w.store = whole }()
	w.store = remotetest.NewFaulty(whole, func(r remotetest.Request) remotetest.Fault {
		asked := func(p manifest.Pack) bool { return p.Object() == r.Name }
		if r.Op == remotetest.Get && slices.ContainsFunc(rec.Packs[manifest.Media], asked) {
			return remotetest.Fault{CutGet: 5 << 20}
		}
		return remotetest.Fault{}
	})
	s, err := w.snapshot("latest")
	testkit.OK(w.t, err)
	if _, err := s.Restore(w.t.Context(), dir, target, vault.RestoreConfig{}); !errors.Is(err, vault.ErrDamage) {
		w.t.Fatal("the restore did not stop:", err)
	}
}

// finished counts the files below dir that have a mode.
func finished(t *testing.T, dir string, mode fs.FileMode) (n int) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm() == mode {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// wish is a target with two forms of the database.
type wish struct {
	folder
	Verbatim bool
}

func (w wish) CheckDatabase(_ context.Context, staging *os.Root) (vault.Checked, error) {
	if w.Verbatim {
		return vault.Checked{Notes: []string{"as it was"}}, nil
	}
	return vault.Checked{Notes: []string{"mended"}}, staging.WriteFile("sqlite.db", []byte("mended"), 0o600)
}

// resume continues a restore.
func (w *world) resume(dir string, target vault.Target, cfg vault.RestoreConfig) (*vault.RestoreReport, error) {
	w.t.Helper()
	s, err := w.snapshot("latest")
	testkit.OK(w.t, err)
	return s.Restore(w.t.Context(), dir, target, cfg)
}

func TestInterruptedRestoreContinuesOnlyWithItsOwnPurpose(t *testing.T) {
	w := newWorld(t, sample())
	rec := w.backup().Record
	dir := filepath.Join(t.TempDir(), "out")
	w.stopAmidMedia(rec, dir, folder{})
	for what, cfg := range map[string]vault.RestoreConfig{
		"one part": {Parts: []manifest.Part{manifest.Media}},
		"one path": {Paths: []string{"media/01A"}},
	} {
		_, err := w.resume(dir, folder{}, cfg)
		want := "a restore of snapshot " + rec.ID() + " was left unfinished there; " +
			"finish that restore, choose another folder"
		if !errors.Is(err, vault.ErrRefused) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("going on with %s: %v", what, err)
		}
	}
	if report, err := w.resume(dir, folder{}, vault.RestoreConfig{}); err != nil || !report.Resumed {
		t.Fatalf("%+v, %v", report, err)
	}
	compare(t, dir, w.src.image())
}

func TestInterruptedRestoreMayChangeItsTarget(t *testing.T) {
	w := newWorld(t, sample())
	rec := w.backup().Record
	for _, verbatim := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "out")
		w.stopAmidMedia(rec, dir, wish{Verbatim: !verbatim})
		report, err := w.resume(dir, wish{Verbatim: verbatim}, vault.RestoreConfig{})
		if err != nil || !report.Resumed {
			t.Fatalf("%+v, %v", report, err)
		}
		want := w.src.image()
		if !verbatim {
			want["sqlite.db"] = "mended"
		}
		compare(t, dir, want)
	}
}

func TestInterruptedSalvageMayBecomeAFullRestore(t *testing.T) {
	const long = "01A/attachment/original/long.mp4" // in several packs
	f := sample()
	f.add(long, noise(77, 40<<20))
	w := newWorld(t, f)
	rec := w.backup().Record
	whole, leftOut := w.store, 0
	for _, p := range rec.Packs[manifest.Media] {
		dir := filepath.Join(t.TempDir(), "out")
		w.unreadable(0, p.Object())
		if _, err := w.resume(dir, stopping{}, vault.RestoreConfig{Salvage: true}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		staged := filepath.Join(dir, ".holdfast-restore/tree/storage", long)
		if _, err := os.Stat(staged); errors.Is(err, fs.ErrNotExist) {
			leftOut++
		}
		w.store = whole
		report, err := w.resume(dir, folder{}, vault.RestoreConfig{})
		if err != nil || !report.Resumed || len(report.Lost) > 0 {
			t.Fatalf("%+v, %v", report, err)
		}
		compare(t, dir, f.image())
	}
	if leftOut < 2 {
		t.Error("the long file was left out once at most: this shows nothing")
	}
}

// disturbed is a target in whose way somebody puts a file at the very last.
type disturbed struct {
	folder
	file string
}

func (d disturbed) Finish(context.Context, *os.Root, vault.Restored) ([]string, error) {
	return nil, os.WriteFile(d.file, nil, 0o600)
}

func TestSalvageInterruptedAtTheEndStillReportsLostFiles(t *testing.T) {
	w := newWorld(t, sample())
	media := w.backup().Record.Packs[manifest.Media]
	dir := filepath.Join(t.TempDir(), "out")
	w.unreadable(0, media[0].Object())
	d := disturbed{file: filepath.Join(dir, "sqlite.db")}
	if _, err := w.resume(dir, d, vault.RestoreConfig{Salvage: true}); !errors.Is(err, vault.ErrRefused) {
		t.Fatal(err)
	}
	testkit.OK(t, os.Remove(d.file))
	report, err := w.resume(dir, folder{}, vault.RestoreConfig{})
	if err != nil || len(report.Lost) == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	want := w.src.image()
	for _, p := range report.Lost {
		delete(want, p)
	}
	compare(t, dir, want)
}

func TestFailedPlanLeavesNoStagingFolder(t *testing.T) {
	w := newWorld(t, sample())
	rec := w.backup().Record
	w.unreadable(0, rec.Packs[manifest.Listing][0].Object())
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := w.resume(dir, folder{}, vault.RestoreConfig{}); !errors.Is(err, vault.ErrDamage) {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
