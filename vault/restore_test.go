package vault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"holdfast/disk"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remote/remotetest"
	"holdfast/vault"
)

func TestNonEmptyTargetIsRefused(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	dir := t.TempDir()
	testkit.OK(t, os.WriteFile(filepath.Join(dir, "precious"), nil, 0o600))
	if _, err := w.restore("latest", dir, vault.RestoreConfig{}); !errors.Is(err, vault.ErrRefused) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Error("something was written")
	}
}

func TestInterruptedRestoreContinues(t *testing.T) {
	f := newFake(100)
	for i := range 12 {
		f.add(strings.Repeat("0", i+1)+"/attachment/original/M.jpeg", noise(uint64(i), 9<<20))
	}
	w := newWorld(t, f)
	w.backup()
	inner := w.store
	counted := remotetest.NewFaulty(inner, nil)
	w.store = counted
	w.check("latest", f.image())
	whole := counted.Count(remotetest.Get)

	faulty := remotetest.NewFaulty(inner, func(r remotetest.Request) remotetest.Fault {
		if r.Op == remotetest.Get && r.Nth > whole-2 {
			return remotetest.Fault{Err: remotetest.ErrInjected}
		}
		return remotetest.Fault{}
	})
	w.store = faulty
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := w.restore("latest", dir, vault.RestoreConfig{}); err == nil {
		t.Fatal("the restore did not stop")
	}
	counted = remotetest.NewFaulty(inner, nil)
	w.store = counted
	report, err := w.restore("latest", dir, vault.RestoreConfig{})
	if err != nil || !report.Resumed {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := counted.Count(remotetest.Get); got > whole/2 {
		t.Errorf("%d gets to go on, %d for all", got, whole)
	}
	compare(t, dir, f.image())
}

// interruptedCheck is a target whose check of the database is interrupted.
type interruptedCheck struct{ folder }

func (interruptedCheck) CheckDatabase(_ context.Context, staging *os.Root) (checked vault.Checked, err error) {
	for name, text := range map[string]string{"sqlite.db": "half mended", "sqlite.db-wal": "the other half"} {
		if err := staging.WriteFile(name, []byte(text), 0o600); err != nil {
			return checked, err
		}
	}
	return checked, context.Canceled
}

func TestRestoreInterruptedInTheDatabaseCheckFetchesTheDatabaseAgain(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	dir := filepath.Join(t.TempDir(), "out")
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	_, err = s.Restore(t.Context(), dir, interruptedCheck{}, vault.RestoreConfig{})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if report, err := w.restore("latest", dir, vault.RestoreConfig{}); err != nil || !report.Resumed {
		t.Fatalf("%+v, %v", report, err)
	}
	compare(t, dir, w.src.image())
}

// once is a target whose check makes the database grow.
type once struct {
	folder
	mended chan struct{}
}

func (o once) CheckDatabase(_ context.Context, staging *os.Root) (checked vault.Checked, err error) {
	f, err := staging.OpenFile("sqlite.db", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return checked, err
	}
	_, err = f.WriteString("mended")
	close(o.mended)
	return vault.Checked{Notes: []string{"mended once"}}, errors.Join(err, f.Close())
}

func TestDatabaseIsCheckedOnceWhileMediaArrive(t *testing.T) {
	w := newWorld(t, sample())
	rec := w.backup().Record
	o := once{mended: make(chan struct{})}
	inner, away := w.store, false
	w.store = remotetest.NewFaulty(inner, func(r remotetest.Request) remotetest.Fault {
		asked := func(p manifest.Pack) bool { return p.Object() == r.Name }
		if r.Op == remotetest.Get && slices.ContainsFunc(rec.Packs[manifest.Media], asked) {
			<-o.mended
			away = true
		}
		if away {
			return remotetest.Fault{Err: remotetest.ErrInjected}
		}
		return remotetest.Fault{}
	})
	dir := filepath.Join(t.TempDir(), "out")
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	if _, err := s.Restore(t.Context(), dir, o, vault.RestoreConfig{}); !errors.Is(err, remotetest.ErrInjected) {
		t.Fatal(err)
	}
	w.store = inner
	if s, err = w.snapshot("latest"); err != nil {
		t.Fatal(err)
	}
	report, err := s.Restore(t.Context(), dir, o, vault.RestoreConfig{}) // a second check would panic
	if err != nil || !slices.Equal(report.Notes, []string{"mended once"}) {
		t.Fatalf("%+v, %v", report, err)
	}
	want := w.src.image()
	want["sqlite.db"] += "mended"
	compare(t, dir, want)
}

// A run that is killed at the very end leaves its staging folder behind.
func TestFinishedRestoreIsRefused(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := w.restore("latest", dir, vault.RestoreConfig{}); err != nil {
		t.Fatal(err)
	}
	staging := filepath.Join(dir, ".holdfast-restore")
	testkit.OK(t, os.Mkdir(staging, 0o700))
	if _, err := w.restore("latest", dir, vault.RestoreConfig{}); !errors.Is(err, vault.ErrRefused) {
		t.Error(err)
	}
	if _, err := os.Lstat(staging); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("staging: %v", err)
	}
	compare(t, dir, w.src.image())
}

func TestUnfinishedRestoreOfAnotherSnapshotIsRefused(t *testing.T) {
	w := newWorld(t, sample())
	first := w.backup().Record
	w.src.night(1, 9)
	w.backup()
	inner := w.store
	w.store = remotetest.NewFaulty(inner, func(r remotetest.Request) remotetest.Fault {
		if r.Op == remotetest.Get && r.Nth > 8 {
			return remotetest.Fault{Err: remotetest.ErrInjected}
		}
		return remotetest.Fault{}
	})
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := w.restore("latest", dir, vault.RestoreConfig{}); !errors.Is(err, remotetest.ErrInjected) {
		t.Fatal(err)
	}
	w.store = inner
	if _, err := w.restore(first.ID(), dir, vault.RestoreConfig{}); !errors.Is(err, vault.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestChosenPartsAndPathsFetchOnlyTheirPacks(t *testing.T) {
	w := newWorld(t, sample())
	packs := w.backup().Record.Packs
	image := w.src.image()
	for _, c := range []struct {
		cfg   vault.RestoreConfig
		want  string // a file, or the folder of all that is wanted
		packs int
	}{
		{vault.RestoreConfig{Parts: []manifest.Part{manifest.Database}}, "sqlite.db", len(packs[manifest.Database])},
		{vault.RestoreConfig{Parts: []manifest.Part{manifest.Media}}, "storage", len(packs[manifest.Media])},
		{vault.RestoreConfig{Paths: []string{"media/01B"}}, "storage/01B", 1},
		{vault.RestoreConfig{Paths: []string{"files/etc/gotosocial/config.yaml"}}, "files", 1},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		report, err := w.restore("latest", dir, c.cfg)
		if err != nil {
			t.Fatalf("%+v: %v", c.cfg, err)
		}
		if report.Packs > c.packs {
			t.Errorf("%+v: %d packs fetched, want %d", c.cfg, report.Packs, c.packs)
		}
		want := map[string]string{}
		for p, data := range image {
			if p == c.want || strings.HasPrefix(p, c.want+"/") {
				want[p] = data
			}
		}
		compare(t, dir, want)
	}
	nowhere := vault.RestoreConfig{Paths: []string{"media/nowhere"}}
	if _, err := w.restore("latest", filepath.Join(t.TempDir(), "out"), nowhere); !errors.Is(err, vault.ErrNoFile) {
		t.Errorf("a path that is not there: %v", err)
	}
}

func TestSecondRestoreIntoAFolderIsBusy(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	dir := filepath.Join(t.TempDir(), "out")
	var second error
	inner := w.store
	w.store = remotetest.NewFaulty(inner, func(r remotetest.Request) remotetest.Fault {
		if r.Op == remotetest.Get && second == nil && strings.HasPrefix(r.Name, "packs/") {
			other := *w
			other.store = inner
			_, second = other.restore("latest", dir, vault.RestoreConfig{})
		}
		return remotetest.Fault{}
	})
	if _, err := w.restore("latest", dir, vault.RestoreConfig{}); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(second, vault.ErrBusy) {
		t.Errorf("the second got %v", second)
	}
	compare(t, dir, w.src.image())
}

func TestCatGivesOneFile(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	var got bytes.Buffer
	testkit.OK(t, s.Cat(t.Context(), "media/01A/attachment/original/video.mp4", &got))
	if !bytes.Equal(got.Bytes(), w.src.media["01A/attachment/original/video.mp4"].data) {
		t.Error("other bytes")
	}
	if err := s.Cat(t.Context(), "media/01A", &got); err == nil {
		t.Error("a folder was printed")
	}
}

// emptied is a reader of cat's output that looks what lies in temp meanwhile.
type emptied struct {
	t    *testing.T
	temp string
}

func (e emptied) Write(p []byte) (int, error) {
	left, err := os.ReadDir(e.temp)
	if err != nil || len(left) > 0 {
		e.t.Errorf("while it prints, %v lies in plain text in the temporary folder, %v", left, err)
	}
	return 0, io.ErrClosedPipe
}

func TestCatLeavesNoPlainTextIfItsReaderCloses(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	temp, repo := t.TempDir(), w.open()
	s, err := repo.OpenSnapshot(repo.Head(), w.keys(), temp)
	testkit.OK(t, err)
	err = s.Cat(t.Context(), "media/01A/attachment/original/video.mp4", emptied{t, temp})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

func TestLendRemovesItsFilesAfterAnyResult(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	temp, repo := t.TempDir(), w.open()
	s, err := repo.OpenSnapshot(repo.Head(), w.keys(), temp)
	testkit.OK(t, err)
	lend := func(ctx context.Context, use func(string) error) error {
		t.Helper()
		err := s.Lend(ctx, folder{}, vault.RestoreConfig{Parts: []manifest.Part{manifest.Database}}, use)
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("%v is left, %v", left, err)
		}
		return err
	}
	refused := errors.New("refused")
	err = lend(t.Context(), func(dir string) error {
		info, err := os.Stat(filepath.Dir(dir))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the folder has mode %v, %v", info.Mode(), err)
		}
		if data, err := os.ReadFile(filepath.Join(dir, "sqlite.db")); err != nil || len(data) == 0 {
			t.Errorf("%d bytes, %v", len(data), err)
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := lend(ctx, func(string) error { t.Error("it was lent"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestCatNamesTheMissingFile(t *testing.T) {
	w := newWorld(t, sample())
	delete(w.src.media, "01A/attachment/original/M001.jpeg")
	rec := w.backup().Record
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	for name, want := range map[string]string{
		"media/nope": "find media/nope in snapshot " + rec.ID() + ": no such file in the snapshot",
		"media/01A/attachment/original/M001.jpeg": "find media/01A/attachment/original/M001.jpeg " +
			"in snapshot " + rec.ID() + ": it was missing from the instance when the snapshot was made: " +
			"no such file in the snapshot",
		"media/01B": `"media/01B" is a folder; name a file in it, such as "media/01B/emoji/static/empty.png"`,
	} {
		if err := s.Cat(t.Context(), name, io.Discard); !errors.Is(err, vault.ErrNoFile) || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A hash has 64 digits: an error that repeats the name of its object fills the screen.
func TestGonePackIsNamedOnce(t *testing.T) {
	w := small(t)
	for object := range objects(t, w.store) {
		if strings.HasPrefix(object, "packs/") {
			w.lose(object)
		}
	}
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	var lost error
	for _, err := range s.Files(t.Context()) {
		lost = err
	}
	if !errors.Is(lost, vault.ErrDamage) || strings.Count(lost.Error(), "packs/") != 1 {
		t.Errorf("%v", lost)
	}
}

func TestCatRemovesTheFoldersOfKilledRuns(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	temp, repo := t.TempDir(), w.open()
	s, err := repo.OpenSnapshot(repo.Head(), w.keys(), temp)
	testkit.OK(t, err)
	mkdir := func(name string) string {
		dir := filepath.Join(temp, name)
		testkit.OK(t, os.MkdirAll(dir, 0o700))
		return dir
	}
	mkdir("holdfast-read-killed/lent/storage")
	mkdir("holdfast-read-killedbeforeitslock") // empty, and made just now
	mkdir("others")
	held, err := disk.LockFolder(mkdir("holdfast-read-held"))
	testkit.OK(t, err)
	defer held.Close()
	elsewhere := t.TempDir()
	testkit.OK(t, os.Symlink(elsewhere, filepath.Join(temp, "holdfast-read-link")))
	testkit.OK(t, s.Cat(t.Context(), "media/01A/attachment/original/M003.jpeg", io.Discard))
	entries, err := os.ReadDir(temp)
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"holdfast-read-held", "holdfast-read-link", "others"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left %v (%v), want %v", left, err, want)
	}
}

func TestConcurrentReadersKeepTheirFolders(t *testing.T) {
	w := newWorld(t, newFake(4))
	w.backup()
	temp, repo := t.TempDir(), w.open()
	keys := w.keys()
	g, ctx := errgroup.WithContext(t.Context())
	for range 8 {
		s, err := repo.OpenSnapshot(repo.Head(), keys, temp)
		testkit.OK(t, err)
		g.Go(func() error {
			for range 10 {
				if err := s.Cat(ctx, "files/etc/gotosocial/config.yaml", io.Discard); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestModesAndTimesComeBack(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := w.restore("latest", dir, vault.RestoreConfig{}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		"sqlite.db": 0o600,
		"storage/01A/attachment/original/video.mp4": 0o644,
		"storage/01B/emoji/static/empty.png":        0o644,
		"files/etc/gotosocial/config.yaml":          0o640,
	} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", path, info.Mode(), want, err)
		}
		if key, ok := strings.CutPrefix(path, "storage/"); ok && !info.ModTime().Equal(w.src.media[key].modified) {
			t.Errorf("%s: time %v, want %v", path, info.ModTime(), w.src.media[key].modified)
		}
	}
}

func TestDiffShowsTheChangesOfANight(t *testing.T) {
	w := newWorld(t, sample())
	first := w.backup().Record
	w.src.night(1, 50)
	delete(w.src.rows, "01A/attachment/original/M003.jpeg")
	w.backup()
	a, err := w.snapshot(first.ID())
	testkit.OK(t, err)
	b, err := w.snapshot("latest")
	testkit.OK(t, err)
	got := map[string]int{}
	var pages int64
	for c, err := range vault.Diff(t.Context(), a, b) {
		testkit.OK(t, err)
		got[c.Kind]++
		pages += c.PagesN
	}
	if got["added"] != 1 || got["removed"] != 1 || got["changed"] != 1 || pages == 0 || pages > 60 {
		t.Errorf("%v, %d pages", got, pages)
	}
	for c, err := range vault.Diff(t.Context(), b, b) {
		t.Errorf("against itself: %+v, %v", c, err)
	}
}
