package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/chunking"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remote/remotetest"
	"holdfast/vault"
)

// sample has every kind of file: small, several in a frame, larger than a
// chunk, empty, twice the same.
func sample() *fake {
	f := newFake(700)
	for i := range 30 {
		f.add(fmt.Sprintf("01A/attachment/original/M%03d.jpeg", i), noise(uint64(i), 1000+i*7000))
	}
	f.add("01A/attachment/original/video.mp4", noise(99, 21<<20))
	f.add("01A/attachment/original/exact.mp4", noise(98, 8<<20))
	f.add("01B/emoji/static/empty.png", nil)
	f.add("01B/emoji/static/twin.png", noise(3, 1000+3*7000))
	return f
}

func TestRestoreGivesTheInstanceBack(t *testing.T) {
	w := newWorld(t, sample())
	report := w.backup()
	parts := report.Record.Parts
	if parts[manifest.Media].Files != 34 || parts[manifest.Database].Bytes != int64(len(w.src.database)) {
		t.Errorf("totals %+v", parts)
	}
	w.check("latest", w.src.image())
	if v := w.verify(1); len(v.Problems) != 0 || v.Unneeded != 0 || v.Hashed != v.Bytes-int64(recordBytes(w)) {
		t.Errorf("verify: %+v", v)
	}
}

func TestFilesWithEqualBeginningsShareChunks(t *testing.T) {
	w := newWorld(t, newFake(1))
	video := noise(1, 12<<20)
	add := func(name string, length int, more ...byte) {
		w.src.add("01A/attachment/original/"+name, append(bytes.Clone(video[:length]), more...))
	}
	add("video.mp4", len(video))
	w.backup()
	add("twin.mp4", len(video))
	add("shortest.mp4", chunking.Whole)
	add("pieces.mp4", chunking.Whole+3*chunking.Piece)
	add("longer.mp4", len(video), noise(2, 100_000)...)
	add("other-end.mp4", 10<<20, noise(3, 100_000)...)
	add("below.mp4", chunking.Whole-1) // one chunk, which nothing shares
	add("three.mp4", 3*chunking.Piece) // as well: its ID is that of the third piece of the others
	add("piece.mp4", chunking.Piece)   // the first piece
	report := w.backup()
	fresh := int64(chunking.Whole - 1 + 3*chunking.Piece + 200_000)
	// The index knows three.mp4 or the piece with its ID: the other may come again.
	if report.NewFiles != 8 || report.Record.Stored < fresh || report.Record.Stored > fresh+chunking.Piece+100_000 {
		t.Errorf("%d files, %d bytes stored, want 8 and about %d", report.NewFiles, report.Record.Stored, fresh)
	}
	w.check("latest", w.src.image())
}

func recordBytes(w *world) (n int) {
	for o, err := range w.store.List(w.t.Context(), "snapshots/") {
		testkit.OK(w.t, err)
		n += int(o.Size)
	}
	return n
}

func TestEveryNightCanBeRestored(t *testing.T) {
	w := newWorld(t, sample())
	images := map[string]map[string]string{}
	for n := range 36 {
		if n > 0 {
			w.src.night(n, 9)
		}
		if n == 20 {
			w.src.database = w.src.database[:len(w.src.database)/2/4096*4096] // VACUUM
			delete(w.src.rows, "01A/attachment/original/M003.jpeg")
		}
		id := w.backup().Record.ID()
		if n%5 == 0 || n > 30 {
			images[id] = w.src.image()
		}
	}
	for id, image := range images {
		w.check(id, image)
	}
	if v := w.verify(1); len(v.Problems) != 0 || v.Snapshots != 36 {
		t.Errorf("verify: %+v", v)
	}
}

func TestUnchangedBackupTakesThreeRequestsAndStoresOneRecord(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	counted := remotetest.NewFaulty(w.store, nil)
	w.store = counted
	report := w.backup()
	total := 0
	for _, op := range []remotetest.Op{remotetest.Put, remotetest.Get, remotetest.List, remotetest.Delete} {
		total += counted.Count(op)
	}
	puts := counted.Count(remotetest.Put)
	if total > 3 || puts != 1 || report.Packs != 0 || report.NewFiles != 0 {
		t.Errorf("%d requests, %d puts, %d packs, %d files read", total, puts, report.Packs, report.NewFiles)
	}
	w.check("latest", w.src.image())
}

func TestPacksNeverMixParts(t *testing.T) {
	w := newWorld(t, sample())
	rec := w.backup().Record
	seen := map[manifest.Hash]manifest.Part{}
	for part, packs := range rec.Packs {
		for _, p := range packs {
			if other, ok := seen[p.Name]; ok {
				t.Errorf("%s is of %s and of %s", p.Object(), part, other)
			}
			seen[p.Name] = part
		}
	}
	if len(rec.Packs) != 4 {
		t.Errorf("packs of %d parts, want 4", len(rec.Packs))
	}
}

func TestMissingMediumIsNamedAndOtherMediaAreSaved(t *testing.T) {
	w := newWorld(t, sample())
	const medium = "01A/attachment/original/M005.jpeg"
	delete(w.src.media, medium)
	report := w.backup()
	if len(report.Missing) != 1 || report.Missing[0] != medium || report.Record.Missing != 1 {
		t.Errorf("missing %v", report.Missing)
	}
	w.check("latest", w.src.image())
}

func TestUnreadableMediumDoesNotStopTheBackup(t *testing.T) {
	f := sample()
	w := newWorld(t, f)
	f.broken = map[string]error{"01A/attachment/original/M004.jpeg": errors.New("input/output error")}
	f.rows["/etc/passwd"], f.rows["a\nb"] = true, true
	report := w.backup()
	all := strings.Join(report.Missing, "\n")
	named := strings.Contains(all, "input/output error") && strings.Contains(all, `"/etc/passwd"`)
	if len(report.Missing) != 3 || !named || report.Record.Missing != 3 {
		t.Errorf("missing %q", report.Missing)
	}
	for _, p := range []string{"01A/attachment/original/M004.jpeg", "/etc/passwd", "a\nb"} {
		delete(f.rows, p)
	}
	w.check("latest", f.image())
}

func TestEveryListedRecordTellsItsNumberOfPacks(t *testing.T) {
	f := sample()
	w := newWorld(t, f)
	w.backup()
	f.add("01A/attachment/original/later.jpeg", noise(7, 300_000))
	w.backup()
	repo := w.open()
	for _, rec := range repo.Records() {
		whole, err := repo.Load(t.Context(), rec)
		testkit.OK(t, err)
		want := len(whole.Inventory())
		if got := rec.PackCount(); got != want || (got > 0) != (rec.Kind == manifest.KindBackup) {
			t.Errorf("%s: %d packs, want %d", rec.Kind, got, want)
		}
	}
}

func TestUnreachableMediaEndTheBackup(t *testing.T) {
	const path = "01A/attachment/original/M004.jpeg"
	for name, fail := range map[string]func(*fake){
		"open": func(f *fake) { f.broken = map[string]error{path: errors.New("no answer")} },
		"stat": func(f *fake) { f.unseen = map[string]error{path: errors.New("no answer")} },
	} {
		f := sample()
		w := newWorld(t, f)
		fail(f)
		f.down = errors.New("the bucket is gone")
		if _, err := w.try(t.Context()); !errors.Is(err, vault.ErrSource) || !errors.Is(err, f.down) {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(w.open().Records()); n != 1 {
			t.Errorf("%s: %d records, want that of init", name, n)
		}
		// A file that is gone says nothing of the others.
		f.broken, f.unseen = nil, nil
		delete(f.media, path)
		if report := w.backup(); len(report.Missing) != 1 {
			t.Errorf("%s: missing %q", name, report.Missing)
		}
	}
}

func TestNewETagAloneMeansAChangedFile(t *testing.T) {
	f := sample()
	for path, e := range f.media {
		e.etag = "first of " + path
		f.media[path] = e
	}
	w := newWorld(t, f)
	w.backup()
	if report := w.backup(); report.NewFiles != 0 {
		t.Errorf("%d files were read again, and none had changed", report.NewFiles)
	}
	const path = "01A/attachment/original/M004.jpeg"
	e := f.media[path]
	f.media[path] = entry{data: noise(99, len(e.data)), modified: e.modified, etag: "second"}
	if report := w.backup(); report.NewFiles != 1 {
		t.Errorf("%d files were read again, want 1", report.NewFiles)
	}
	w.check("latest", f.image())
	snap, err := w.snapshot("latest")
	testkit.OK(t, err)
	for file, err := range snap.Files(t.Context()) {
		testkit.OK(t, err)
		if file.Part == manifest.Media && file.ETag != f.media[file.Path].etag {
			t.Errorf("%s has the ETag %q in the listing", file.Path, file.ETag)
		}
	}
}

func TestIndexForgetsDeletedFiles(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	for p := range w.src.rows {
		if strings.HasPrefix(p, "01A/") {
			delete(w.src.rows, p)
		}
	}
	w.backup()
	idx, _, err := index.Open(w.state)
	testkit.OK(t, err)
	defer idx.Close()
	n := 0
	for _, err := range idx.Files(manifest.Media) {
		testkit.OK(t, err)
		n++
	}
	if n != 2 {
		t.Errorf("%d rows for 2 files", n)
	}
	w.check("latest", w.src.image())
}

func TestDamagedSpoolFileIsNotSent(t *testing.T) {
	w := newWorld(t, sample())
	idx, _, err := index.Open(w.state)
	testkit.OK(t, err)
	p := index.Pack{Part: manifest.Media, Pack: manifest.Pack{Number: 7, Name: manifest.Hash{7}, Size: 4096}}
	testkit.OK(t, idx.AddPack(p, index.Contents{}))
	idx.Close()
	spool := filepath.Join(w.state, "spool")
	testkit.OK(t, os.MkdirAll(spool, 0o700))
	testkit.OK(t, os.WriteFile(filepath.Join(spool, p.Name.Hex()), make([]byte, 4096), 0o600))
	w.backup()
	w.check("latest", w.src.image())
	if entries, _ := os.ReadDir(spool); len(entries) != 0 {
		t.Error("it is still there")
	}
}

func TestMediumDeletedDuringTheBackupIsNotMissing(t *testing.T) {
	w := newWorld(t, sample())
	delete(w.src.media, "01A/attachment/original/M005.jpeg")
	src := &deletedLater{w.src}
	idx, _, err := index.Open(w.state)
	testkit.OK(t, err)
	defer idx.Close()
	cfg := vault.BackupConfig{Repository: w.open(), Host: w.host, Index: idx, State: w.state}
	cfg.Database, cfg.Files = src, src
	report, err := vault.Backup(t.Context(), cfg)
	if err != nil || len(report.Missing) != 0 {
		t.Fatalf("missing %v, %v", report.Missing, err)
	}
	w.check("latest", w.src.image())
}

// deletedLater is an instance whose rows are gone once somebody asks again.
type deletedLater struct{ *fake }

func (d *deletedLater) Named(context.Context, []string) (map[string]bool, error) { return nil, nil }

func TestFullSpoolEndsATransactionNotTheBackup(t *testing.T) {
	f := newFake(0)
	f.database = noise(1, 112<<20) // packs of 16 MiB each
	w := newWorld(t, f)
	w.holdPacks()
	w.cfg.Spool = 48 << 20
	report := w.backup()
	if report.Passes < 2 {
		t.Errorf("%d passes", report.Passes)
	}
	if entries, _ := os.ReadDir(filepath.Join(w.state, "spool")); len(entries) != 0 {
		t.Errorf("%d packs are left in the spool", len(entries))
	}
	if stored := report.Record.Stored; stored > 122<<20 {
		t.Errorf("%d MiB stored: passes stored pages again", stored>>20)
	}
	w.check("latest", f.image())
}

func TestLostIndexCostsAnUploadNotASnapshot(t *testing.T) {
	w := newWorld(t, sample())
	first := w.backup()
	testkit.OK(t, os.RemoveAll(w.state))
	w.state = t.TempDir()
	w.src.night(1, 9)
	second := w.backup()
	if second.Record.Sequence != first.Record.Sequence+1 || second.Record.Previous[0] != first.Record.Name() {
		t.Error("the log was not continued")
	}
	w.check("latest", w.src.image())
}

func TestLostPackIsStoredAgain(t *testing.T) {
	w := newWorld(t, sample())
	rec := w.backup().Record
	for _, part := range []manifest.Part{manifest.Database, manifest.Media, manifest.Listing} {
		p := rec.Packs[part][0]
		w.lose(p.Object())
		if v := w.verify(0); !slices.ContainsFunc(v.Problems, func(found vault.Problem) bool {
			return found.Object == p.Object() && slices.Contains(found.Hurts, rec.ID())
		}) {
			t.Errorf("%s: verify says %+v", part, v.Problems)
		}
		report := w.backup()
		if !report.Damage || len(report.Warnings) == 0 {
			t.Errorf("%s: the loss was not told", part)
		}
		w.check("latest", w.src.image())
		rec = report.Record
	}
}

func TestBackupContinuesARecordOfAnotherHost(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	other := *w
	other.state = t.TempDir()
	w.src.night(1, 9)
	// The other host commits while this one is between its two LISTs.
	var theirs *manifest.Record
	w.src.onView = func() {
		w.src.onView = nil
		theirs = other.backup().Record
	}
	ours := w.backup().Record
	if ours.Sequence != theirs.Sequence+1 || ours.Previous[0] != theirs.Name() {
		t.Errorf("ours is %d after %v, theirs %d", ours.Sequence, ours.Previous, theirs.Sequence)
	}
	w.check("latest", w.src.image())
	w.check(theirs.ID(), w.src.image())
}

func TestForkIsReportedAndJoined(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	other := *w
	other.state = t.TempDir()
	// Both put their record before either lists again.
	gate := remotetest.NewFaulty(w.store, func(r remotetest.Request) remotetest.Fault { return remotetest.Fault{} })
	var theirs *manifest.Record
	gate.SetPlan(func(r remotetest.Request) remotetest.Fault {
		if r.Op == remotetest.Put && strings.HasPrefix(r.Name, "snapshots/") && theirs == nil {
			theirs = other.backup().Record
		}
		return remotetest.Fault{}
	})
	w.store = gate
	report := w.backup()
	if !strings.Contains(strings.Join(report.Warnings, "\n"), "fork") {
		t.Errorf("warnings %q", report.Warnings)
	}
	for _, side := range []*manifest.Record{theirs, report.Record} {
		if !w.open().Keeps(side.Name()) {
			t.Errorf("%s of the fork is not kept", side.ID())
		}
	}
	joined := w.backup()
	if len(joined.Record.Previous) != 2 {
		t.Errorf("the next record continues %d heads, want 2", len(joined.Record.Previous))
	}
	if repo := w.open(); len(repo.Warnings) != 0 {
		t.Errorf("after the join: %q", repo.Warnings)
	}
	w.check("latest", w.src.image())
}

func TestForgedRecordDoesNotCount(t *testing.T) {
	w := newWorld(t, sample())
	head := w.backup().Record
	thief := newWorld(t, newFake(10))
	forged := *head
	forged.Sequence += 5
	text, err := forged.Sign(thief.host)
	testkit.OK(t, err)
	object := manifest.RecordObject(forged.Name())
	testkit.OK(t, w.store.Put(t.Context(), object, bytes.NewReader(text), int64(len(text))))
	repo := w.open()
	if repo.Head().Name() != head.Name() || len(repo.Warnings) == 0 {
		t.Errorf("head %s, warnings %q", repo.Head().ID(), repo.Warnings)
	}
	if v := w.verify(0); len(v.Problems) != 1 {
		t.Errorf("verify: %+v", v.Problems)
	}
}

// A thief with the host's key signs records with the largest numbers that count. The next backups still get numbers.
func TestLargestNumbersOfAnotherHostEndNoBackup(t *testing.T) {
	w := newWorld(t, sample())
	largest := *w.backup().Record
	largest.Previous, largest.Kept = manifest.Hashes{largest.Name()}, manifest.Hashes{largest.Name()}
	largest.Sequence = manifest.MaxNumber
	largest.Packs[manifest.Listing][0].Number = math.MaxUint32
	for i := range largest.ListingAt.Extents {
		largest.ListingAt.Extents[i].Pack = math.MaxUint32
	}
	text, err := largest.Sign(w.host)
	testkit.OK(t, err)
	object := manifest.RecordObject(largest.Name())
	testkit.OK(t, w.store.Put(t.Context(), object, bytes.NewReader(text), int64(len(text))))
	if head := w.open().Head(); head.Name() != largest.Name() {
		t.Fatalf("the head is %s, want %s", head.ID(), largest.ID())
	}
	for night := range 2 {
		w.src.night(night, 9)
		report := w.backup()
		if n := report.Record.MaxPack(); n >= 1<<31 {
			t.Errorf("night %d has a pack of number %d", night, n)
		}
		w.check("latest", w.src.image())
	}
}

func TestOtherRepositoryThanThePinIsRefused(t *testing.T) {
	w, other := newWorld(t, newFake(10)), newWorld(t, newFake(10))
	_, err := vault.Open(t.Context(), w.store, other.host.Repository, nil)
	if !errors.Is(err, vault.ErrOtherRoot) {
		t.Errorf("got %v", err)
	}
}

func TestWrongIdentityHasItsOwnError(t *testing.T) {
	w, other := newWorld(t, newFake(10)), newWorld(t, newFake(10))
	w.backup()
	w.identity = other.identity
	if _, err := w.snapshot("latest"); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("got %v", err)
	}
}

func TestLostReplyAndFailureOfEachPut(t *testing.T) {
	f := newFake(300)
	for i := range 5 {
		f.add(fmt.Sprintf("01A/attachment/original/M%03d.jpeg", i), noise(uint64(i), 9<<20))
	}
	// How two workers share the files decides how many packs they fill.
	puts := func() int {
		w := newWorld(t, f)
		w.cfg.Workers = 1
		counted := remotetest.NewFaulty(w.store, nil)
		w.store = counted
		w.backup()
		return counted.Count(remotetest.Put)
	}()
	for _, lost := range []bool{false, true} {
		for nth := 1; nth <= puts; nth++ {
			w := newWorld(t, f)
			w.cfg.Workers = 1
			inner := w.store
			fault := remotetest.Fault{Err: remotetest.ErrInjected, Lost: lost}
			w.store = remotetest.NewFaulty(inner, remotetest.On(remotetest.Put, nth, fault))
			if _, err := w.try(t.Context()); !errors.Is(err, remotetest.ErrInjected) {
				t.Fatalf("put %d lost %v: %v", nth, lost, err)
			}
			w.store = inner
			if v := w.verify(1); len(v.Problems) != 0 {
				t.Fatalf("put %d lost %v: a record names what is not there: %+v", nth, lost, v.Problems)
			}
			counted := remotetest.NewFaulty(inner, nil)
			w.store = counted
			w.backup()
			// What arrived is not sent again. Up to two more packs were under
			// way or cut short when the fault struck.
			if again := counted.Count(remotetest.Put); again > puts-nth+5 {
				t.Errorf("put %d lost %v: %d puts in the next run, %d in a whole one", nth, lost, again, puts)
			}
			w.check("latest", f.image())
		}
	}
}
