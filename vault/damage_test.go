package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/remote/remotetest"
	"holdfast/vault"
)

// small is the smallest instance that has everything.
func small(t testing.TB) *world {
	f := newFake(3)
	f.add("01A/attachment/original/M.jpeg", noise(1, 500))
	w := newWorld(t, f)
	w.backup()
	f.night(1, 2)
	w.backup()
	return w
}

// objects reads the whole remote.
func objects(t testing.TB, s remote.Store) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for o, err := range s.List(context.Background(), "") {
		testkit.OK(t, err)
		body, err := s.Get(context.Background(), o.Name)
		testkit.OK(t, err)
		if out[o.Name], err = io.ReadAll(body); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// detected checks that damage to one object is found by verify, which names
// it, and that a restore of the newest snapshot gives the right bytes or
// nothing.
func (w *world) detected(object, how string, needed bool) {
	w.t.Helper()
	repo, err := vault.Open(w.t.Context(), w.store, w.host.Repository, nil)
	if err != nil {
		if !errors.Is(err, vault.ErrDamage) && !errors.Is(err, vault.ErrNoRepository) {
			w.t.Fatalf("%s %s: open: %v", object, how, err)
		}
	} else {
		report, err := repo.Verify(w.t.Context(), vault.VerifyConfig{Data: 1})
		if err != nil {
			w.t.Fatalf("%s %s: verify: %v", object, how, err)
		}
		named := func(p vault.Problem) bool { return p.Object == object && p.What != "" && p.Fix != "" }
		if !slices.ContainsFunc(report.Problems, named) {
			w.t.Fatalf("%s %s: verify does not name it: %+v", object, how, report.Problems)
		}
	}
	dir := filepath.Join(w.t.TempDir(), "out")
	_, err = w.restore("latest", dir, vault.RestoreConfig{})
	switch {
	case err == nil && needed:
		w.t.Fatalf("%s %s: the restore did not notice", object, how)
	case err == nil:
		os.RemoveAll(dir)
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != ".holdfast-restore" {
			w.t.Fatalf("%s %s: %s stands under its final name", object, how, e.Name())
		}
	}
	os.RemoveAll(dir)
}

// Every byte and every length takes the better part of an hour, by make full;
// otherwise a sample does, closer at each object's start, where the headers are.
func step(at int) int {
	switch {
	case os.Getenv("HOLDFAST_FULL") != "" || at < 4:
		return 1
	case at < 300:
		return 61
	}
	return 487
}

// Of each byte one bit is flipped, another one from byte to byte. To a hash all
// eight are alike, and nothing of an object is read before its hash is known.
func TestFlippedBitOfEachByteIsDetected(t *testing.T) {
	t.Parallel()
	w := small(t)
	head := w.open().Head()
	for name, data := range objects(t, w.store) {
		needed := neededBy(head, name)
		for at := 0; at < len(data); at += step(at) {
			bad := bytes.Clone(data)
			bad[at] ^= 1 << (at % 8)
			w.plant(name, bad)
			w.detected(name, fmt.Sprintf("with a bit of byte %d flipped", at), needed)
		}
		w.plant(name, data)
	}
	w.check("latest", w.src.image())
}

func TestEveryTruncationIsDetected(t *testing.T) {
	t.Parallel()
	w := small(t)
	head := w.open().Head()
	for name, data := range objects(t, w.store) {
		needed := neededBy(head, name)
		for n := 0; n < len(data); n += step(n) {
			w.plant(name, data[:n])
			w.detected(name, fmt.Sprintf("cut to %d bytes", n), needed)
		}
		w.plant(name, data)
	}
	w.check("latest", w.src.image())
}

// neededBy reports whether a restore of the record reads the object.
func neededBy(rec *manifest.Record, object string) bool {
	for _, p := range rec.Inventory() {
		if p.Object() == object {
			return true
		}
	}
	return strings.HasPrefix(object, "keys/")
}

// plant puts bytes under a name that is not theirs.
func (w *world) plant(name string, data []byte) {
	w.store.(*remotetest.Memory).Plant(name, data)
}

func TestProbeThatStaysIsNeitherForeignNorInTheWay(t *testing.T) {
	w := small(t)
	w.plant(remotetest.Name("probes", []byte("holdfast probe")), []byte("holdfast probe"))
	w.backup()
	if v := w.verify(1); len(v.Foreign) > 0 || len(v.Problems) > 0 {
		t.Errorf("verify names %q, %v", v.Foreign, v.Problems)
	}
}

func TestSalvageRestoresWholeFiles(t *testing.T) {
	w := newWorld(t, sample())
	rec := w.backup().Record
	packs := rec.Packs[manifest.Media]
	victim := packs[len(packs)-1]
	w.lose(victim.Object())
	dir := filepath.Join(t.TempDir(), "out")
	_, err := w.restore("latest", dir, vault.RestoreConfig{})
	var damage *remedy.DamageError
	if !errors.As(err, &damage) || len(damage.Lost) == 0 || damage.Database {
		t.Fatalf("got %v", err)
	}
	os.RemoveAll(dir)
	report, err := w.restore("latest", dir, vault.RestoreConfig{Salvage: true})
	if err != nil || !slices.Equal(report.Lost, damage.Lost) {
		t.Fatalf("salvage: %v, lost %v", err, report)
	}
	want := w.src.image()
	for _, p := range report.Lost {
		delete(want, p)
	}
	compare(t, dir, want)
}

func TestDamageNamesTheNewestWholeSnapshot(t *testing.T) {
	w := newWorld(t, newFake(10))
	const deleted, kept = "01A/attachment/original/DELETED.jpeg", "01A/attachment/original/KEPT.jpeg"
	whole := w.backup().Record
	w.src.add(deleted, noise(1, 50_000))
	lost := w.backup().Record
	delete(w.src.rows, deleted)
	w.src.add(kept, noise(2, 50_000))
	rotten := w.backup().Record
	// The latest snapshot may share a pack of the listing with the lost one.
	unshared := onlyIn(lost, w.backup().Record)
	isShared := func(object string) bool { return !slices.Contains(unshared, object) }
	gone := slices.DeleteFunc(onlyIn(lost, whole), isShared)
	if len(gone) == 0 {
		t.Fatal("no pack is only in the lost snapshot")
	}
	w.lose(gone...)
	for _, p := range rotten.Packs[manifest.Media] {
		w.plant(p.Object(), noise(3, int(p.Size)))
	}
	_, err := w.restore("latest", filepath.Join(t.TempDir(), "out"), vault.RestoreConfig{})
	if damage := (*remedy.DamageError)(nil); !errors.As(err, &damage) || damage.Whole != whole.ID() {
		t.Errorf("%v names %+v, want snapshot %s", err, damage, whole.ID())
	}
}

func TestDamagedDatabaseIsNeverSalvaged(t *testing.T) {
	w := newWorld(t, sample())
	rec := w.backup().Record
	w.lose(rec.Packs[manifest.Database][0].Object())
	_, err := w.restore("latest", filepath.Join(t.TempDir(), "out"), vault.RestoreConfig{Salvage: true})
	var damage *remedy.DamageError
	if !errors.As(err, &damage) || !damage.Database {
		t.Fatalf("got %v", err)
	}
}

func TestTransientFaultsDoNotStopARestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sample())
		w.backup()
		inner := w.store
		// The body of every pack breaks once.
		w.store = remotetest.NewFaulty(inner, func(r remotetest.Request) remotetest.Fault {
			if r.Op == remotetest.Get && strings.HasPrefix(r.Name, "packs/") && r.Try == 1 {
				return remotetest.Fault{CutGet: 4_000, Err: remotetest.ErrInjected}
			}
			return remotetest.Fault{}
		})
		w.check("latest", w.src.image())
	})
}

// unreadable makes the store refuse these objects, as a server does whose disk
// has rotten there: at once, or where a byte can't be read on the way.
func (w *world) unreadable(cut int64, objects ...string) {
	w.store = remotetest.NewFaulty(w.store, func(r remotetest.Request) remotetest.Fault {
		if r.Op == remotetest.Get && slices.Contains(objects, r.Name) {
			return remotetest.Fault{CutGet: cut, Err: remotetest.ErrInjected}
		}
		return remotetest.Fault{}
	})
}

func TestUnreadableRecordDoesNotHideOtherRecords(t *testing.T) {
	for _, cut := range []int64{0, 100} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sample())
			first := w.backup().Record
			w.src.night(1, 9)
			second := w.backup().Record
			object := manifest.RecordObject(first.Name())
			w.unreadable(cut, object)
			repo := w.open()
			if repo.Head().Name() != second.Name() || !strings.Contains(strings.Join(repo.Warnings, "\n"), object) {
				t.Errorf("head %s, warnings %q", repo.Head().ID(), repo.Warnings)
			}
			problems := w.verify(0).Problems
			if len(problems) != 1 || problems[0].Object != object || !slices.Contains(problems[0].Hurts, first.ID()) {
				t.Errorf("verify: %+v", problems)
			}
			w.check("latest", w.src.image())

			// The newest keeps it, so it is no newer: a host without memory may go on.
			w.state = t.TempDir()
			if report := w.backup(); !report.Damage || report.Record.Sequence != second.Sequence+1 {
				t.Errorf("damage %v, number %d", report.Damage, report.Record.Sequence)
			}
		})
	}
}

// Anybody who may write into the bucket can put an object there that nobody can read.
func TestUnreadableObjectDoesNotEndBackups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sample())
		w.backup()
		newest := w.backup().Record
		store := w.store
		w.unreadable(0, manifest.RecordObject(newest.Name()))
		w.state = t.TempDir() // with its memory, it would know the record
		beside := w.backup()
		if !beside.Damage || beside.Record.Sequence != newest.Sequence {
			t.Errorf("damage %v, number %d", beside.Damage, beside.Record.Sequence)
		}
		problems := w.verify(0).Problems
		if len(problems) != 1 || !strings.Contains(problems[0].Fix, "may be a snapshot") {
			t.Errorf("verify: %+v", problems)
		}
		w.store = store // the provider mended the disk
		joined := w.backup().Record
		if len(joined.Previous) != 2 || !slices.Contains(joined.Kept, newest.Name()) {
			t.Errorf("continues %v, keeps %v", joined.Previous, joined.Kept)
		}
	})
}

func TestManyUnreadableObjectsHideNoRecord(t *testing.T) {
	w := newWorld(t, sample())
	head := w.backup().Record
	var junk []string
	for i := range 60 {
		text := fmt.Appendf(nil, "junk %d", i)
		junk = append(junk, remotetest.Name("snapshots", text))
		w.plant(junk[i], text)
	}
	w.store = remotetest.NewFaulty(w.store, func(r remotetest.Request) remotetest.Fault {
		if r.Op == remotetest.Get && slices.Contains(junk, r.Name) { // stored with a key that only the writer has
			return remotetest.Fault{Err: errors.New("400 InvalidRequest")}
		}
		return remotetest.Fault{}
	})
	repo := w.open() // on a fresh machine
	if repo.Head().Name() != head.Name() || len(repo.Warnings) == 0 {
		t.Errorf("head %s, %d warnings", repo.Head().ID(), len(repo.Warnings))
	}
	w.backup()
	w.check("latest", w.src.image())
}

// late is a store that lists an object some time after its Put.
type late struct {
	remote.Store
	by time.Duration
}

func (l late) List(ctx context.Context, prefix string) iter.Seq2[remote.Object, error] {
	return func(yield func(remote.Object, error) bool) {
		for o, err := range l.Store.List(ctx, prefix) {
			if (err != nil || time.Since(o.Modified) >= l.by) && !yield(o, err) {
				return
			}
		}
	}
}

func TestListThatIsSecondsLateIsAskedAgain(t *testing.T) {
	for by, good := range map[time.Duration]bool{3 * time.Second: true, time.Hour: false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sample())
			time.Sleep(time.Hour) // of the bubble's clock
			w.store = late{w.store, by}
			if _, err := w.try(t.Context()); (err == nil) != good || err != nil && !errors.Is(err, vault.ErrDamage) {
				t.Errorf("%v late: %v", by, err)
			}
		})
	}
}

func TestUnreachableRemoteIsNotDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sample())
		w.backup()
		away := false
		w.store = remotetest.NewFaulty(w.store, func(remotetest.Request) remotetest.Fault {
			if away {
				return remotetest.Fault{Err: remotetest.ErrInjected}
			}
			return remotetest.Fault{}
		})
		repo := w.open()
		snap, err := w.snapshot("latest")
		testkit.OK(t, err)
		away = true
		_, openErr := vault.Open(t.Context(), w.store, w.host.Repository, nil)
		_, verifyErr := repo.Verify(t.Context(), vault.VerifyConfig{Data: 1})
		dir := filepath.Join(t.TempDir(), "out")
		_, restoreErr := snap.Restore(t.Context(), dir, folder{}, vault.RestoreConfig{Salvage: true})
		for verb, err := range map[string]error{"open": openErr, "verify": verifyErr, "restore": restoreErr} {
			if !errors.Is(err, remote.ErrUnreachable) || errors.Is(err, vault.ErrDamage) {
				t.Errorf("%s: %v", verb, err)
			}
		}
	})
}

func TestUnreadablePackIsNamedAndLosesOnlyItsFiles(t *testing.T) {
	for _, cut := range []int64{0, 5_000} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sample())
			rec := w.backup().Record
			media := rec.Packs[manifest.Media]
			victim := media[len(media)-1].Object()
			w.unreadable(cut, victim)
			report := w.verify(1)
			problems, hurts := report.Problems, []string{rec.ID()}
			if len(problems) != 1 || problems[0].Object != victim || !slices.Equal(problems[0].Hurts, hurts) {
				t.Errorf("verify: %+v", problems)
			}
			if want := report.Objects - 2; report.HashedN != want { // but for two records
				t.Errorf("%d objects were read, want %d", report.HashedN, want)
			}
			dir := filepath.Join(t.TempDir(), "out")
			_, err := w.restore("latest", dir, vault.RestoreConfig{})
			var damage *remedy.DamageError
			if !errors.As(err, &damage) || damage.Database || len(damage.Findings) != 1 {
				t.Fatalf("restore: %v", err)
			}
			salvaged, err := w.restore("latest", dir, vault.RestoreConfig{Salvage: true})
			if err != nil || !slices.Equal(salvaged.Lost, damage.Lost) {
				t.Fatalf("salvage: %v, %+v", err, salvaged)
			}
			want := w.src.image()
			for _, p := range damage.Lost {
				delete(want, p)
			}
			compare(t, dir, want)
		})
	}
}
