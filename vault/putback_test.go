package vault_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remote"
	"holdfast/remote/remotetest"
	"holdfast/seal"
	"holdfast/vault"
)

// lose removes objects behind everybody's back.
func (w *world) lose(objects ...string) {
	w.t.Helper()
	for _, object := range objects {
		testkit.OK(w.t, w.store.(remote.Pruner).Delete(w.t.Context(), object))
	}
}

// onlyIn are the packs of a that b doesn't name.
func onlyIn(a, b *manifest.Record) (objects []string) {
	for number, p := range a.Inventory() {
		if _, shared := b.Inventory()[number]; !shared {
			objects = append(objects, p.Object())
		}
	}
	return objects
}

// remembering verifies on the host itself.
func (w *world) remembering() *vault.VerifyReport {
	w.t.Helper()
	m, err := index.ReadMemory(w.state)
	testkit.OK(w.t, err)
	report, err := w.open().Verify(w.t.Context(), vault.VerifyConfig{Memory: m})
	if err != nil {
		w.t.Fatal("verify:", err)
	}
	return report
}

// told wants a backup to say that the remote is damaged, and how.
func told(t *testing.T, report *vault.BackupReport, what string) {
	t.Helper()
	if !report.Damage || len(report.Fixes) == 0 || !strings.Contains(strings.Join(report.Warnings, "\n"), what) {
		t.Errorf("damage %v, warnings %q, fixes %q: want %q", report.Damage, report.Warnings, report.Fixes, what)
	}
}

func TestDeletedRecordsArePutBack(t *testing.T) {
	w := newWorld(t, sample())
	log := []*manifest.Record{w.backup().Record} // newest last
	image := w.src.image()
	for n := range 2 {
		w.src.night(n, 9)
		log = append(log, w.backup().Record)
	}
	for what, which := range map[string]func() []*manifest.Record{
		"an old one":     func() []*manifest.Record { return log[:1] },
		"the newest":     func() []*manifest.Record { return log[len(log)-1:] },
		"the newest two": func() []*manifest.Record { return log[len(log)-2:] },
		"all":            func() []*manifest.Record { return log },
	} {
		lost, head := which(), log[len(log)-1]
		for _, rec := range lost {
			w.lose(manifest.RecordObject(rec.Name()))
		}
		problems := w.remembering().Problems
		if len(problems) == 0 || len(problems[0].Hurts) == 0 || problems[0].Fix == "" {
			t.Errorf("%s: verify on the host says %+v", what, problems)
		}
		name := head.Name()
		expecting := vault.VerifyConfig{ExpectHead: &name}
		if v, err := w.open().Verify(t.Context(), expecting); err != nil || len(v.Problems) == 0 {
			t.Errorf("%s: --expect-head says %+v, %v", what, v, err)
		}
		report := w.backup()
		for _, rec := range lost {
			told(t, report, "the record of snapshot "+rec.ID()+" was gone")
		}
		if report.Packs > 1 { // the listing's
			t.Errorf("%s: %d packs were stored again", what, report.Packs)
		}
		previous, number := report.Record.Previous, report.Record.Sequence
		if !slices.Equal(previous, []manifest.Hash{head.Name()}) || number != head.Sequence+1 {
			t.Errorf("%s: the log goes on after %v as number %d, want after %s", what, previous, number, head.ID())
		}
		if v := w.verify(1); len(v.Problems) != 0 {
			t.Errorf("%s: afterwards verify says %+v", what, v.Problems)
		}
		again := w.backup()
		if again.Damage {
			t.Errorf("%s: the next backup still says %q", what, again.Warnings)
		}
		log = append(log, report.Record, again.Record)
		w.check(log[0].ID(), image)
		w.check("latest", w.src.image())
	}
}

func TestTruncatedRecordIsPutBack(t *testing.T) {
	w := newWorld(t, sample())
	object := manifest.RecordObject(w.backup().Record.Name())
	w.backup()
	w.plant(object, objects(t, w.store)[object][:100])
	told(t, w.backup(), "another size")
	if v := w.verify(0); len(v.Problems) != 0 {
		t.Errorf("afterwards verify says %+v", v.Problems)
	}
}

func TestFailedPutBackDoesNotStopTheBackup(t *testing.T) {
	w := newWorld(t, sample())
	first := w.backup().Record
	object := manifest.RecordObject(first.Name())
	w.backup()
	w.lose(object)
	w.store = remotetest.NewFaulty(w.store, func(r remotetest.Request) remotetest.Fault {
		if r.Op == remotetest.Put && r.Name == object {
			return remotetest.Fault{Err: remotetest.ErrInjected}
		}
		return remotetest.Fault{}
	})
	report := w.backup()
	told(t, report, object+" could not be put back: ")
	told(t, report, "the record of snapshot "+first.ID()+" is gone")
	w.check("latest", w.src.image())
}

func TestRecordWithoutItsPacksIsRememberedNotPutBack(t *testing.T) {
	w := newWorld(t, sample())
	first := w.backup().Record
	w.src.night(1, 9)
	last := w.backup().Record
	w.lose(append(onlyIn(last, first), manifest.RecordObject(last.Name()))...)
	problems := w.remembering().Problems
	if len(problems) != 1 || !slices.Equal(problems[0].Hurts, []string{last.ID()}) {
		t.Errorf("verify on the host says %+v", problems)
	}
	// Who has no memory can't know.
	if v := w.verify(0); len(v.Problems) != 0 {
		t.Errorf("verify elsewhere says %+v", v.Problems)
	}
	told(t, w.backup(), "rolled the remote back: snapshots "+last.ID())
	for range 2 {
		if report := w.backup(); report.Damage || !strings.Contains(strings.Join(report.Warnings, "\n"), last.ID()) {
			t.Errorf("later: damage %v, warnings %q", report.Damage, report.Warnings)
		}
	}
	if v := w.remembering(); len(v.Problems) != 0 || !strings.Contains(strings.Join(v.Warnings, "\n"), last.ID()) {
		t.Errorf("later verify on the host says %+v, %q", v.Problems, v.Warnings)
	}
	w.check("latest", w.src.image())
}

func TestRecordBeforeALostRecordIsPutBack(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	w.src.night(1, 9)
	second := w.backup().Record
	w.src.night(2, 9)
	third := w.backup().Record
	w.lose(append(onlyIn(third, second), manifest.RecordObject(second.Name()), manifest.RecordObject(third.Name()))...)
	report := w.backup()
	told(t, report, "rolled the remote back: snapshots "+third.ID())
	told(t, report, "the record of snapshot "+second.ID()+" was gone from the remote or had another size, "+
		"and was put back")
	if report.Record.Previous[0] != second.Name() {
		t.Errorf("the log goes on after %s, want %s", report.Record.Previous[0], second.ID())
	}
}

func TestEachBackupReportsALastingLoss(t *testing.T) {
	w := newWorld(t, sample())
	first := w.backup().Record
	w.src.night(1, 2)
	w.lose(first.Packs[manifest.Database][0].Object())
	for range 3 {
		told(t, w.backup(), "packs of earlier snapshots that are gone from the remote or have another size: 1;")
	}
	w.lose(manifest.RecordObject(first.Name()))
	for range 2 {
		told(t, w.backup(), "the record of snapshot "+first.ID()+" is gone")
	}
}

func TestMemoryOfAnotherRepositoryIsIgnored(t *testing.T) {
	w, other := newWorld(t, newFake(10)), newWorld(t, newFake(10))
	w.backup()
	other.backup()
	w.state = other.state
	if report := w.remembering(); len(report.Problems) != 0 {
		t.Errorf("%+v", report.Problems)
	}
}

// owners makes a repository of several owners.
func owners(t *testing.T, w *world, n int) *manifest.Record {
	t.Helper()
	var all []seal.Owner
	for range n {
		owner, identity := newOwner(t)
		all, w.identity = append(all, owner), identity
	}
	for object := range objects(t, w.store) {
		w.lose(object)
	}
	var err error
	if w.host, err = newRepository(t.Context(), w.store, "example.org", "test", all); err != nil {
		t.Fatal(err)
	}
	return w.backup().Record
}

// forgetKeys makes the host one that has no copies of the key objects.
func (w *world) forgetKeys() {
	w.t.Helper()
	testkit.OK(w.t, os.RemoveAll(filepath.Join(w.state, "keys")))
}

func TestLostKeyObjectIsPutBack(t *testing.T) {
	w := newWorld(t, newFake(2))
	keys := owners(t, w, 2).Keys
	w.backup()
	before := objects(t, w.store)
	w.lose(keys[0].Object())
	w.plant(keys[1].Object(), []byte("short"))
	report := w.backup()
	for _, k := range keys {
		told(t, report, k.Object())
		if !bytes.Equal(objects(t, w.store)[k.Object()], before[k.Object()]) {
			t.Errorf("%s is not what it was", k.Object())
		}
	}
	if report := w.backup(); report.Damage {
		t.Errorf("told again: %q", report.Warnings)
	}
	// A copy that somebody changed is taken anew, and never put.
	path := filepath.Join(w.state, "keys", keys[0].Name.Hex())
	testkit.OK(t, os.WriteFile(path, []byte("changed"), 0o600))
	w.backup()
	if copied, err := os.ReadFile(path); err != nil || !bytes.Equal(copied, before[keys[0].Object()]) {
		t.Errorf("the copy was not taken anew: %v", err)
	}
	w.lose(keys[0].Object())
	testkit.OK(t, os.WriteFile(path, []byte("changed"), 0o600))
	told(t, w.backup(), "their owners can't restore")
	if objects(t, w.store)[keys[0].Object()] != nil {
		t.Error("a changed copy was put")
	}
}

func TestDamagedKeyObjectIsReported(t *testing.T) {
	w := newWorld(t, newFake(2))
	k := w.open().Head().Keys[0]
	data := bytes.Clone(objects(t, w.store)[k.Object()])
	data[len(data)/2] ^= 1
	w.plant(k.Object(), data)
	v, fix := w.verify(0), "holdfast backup on the instance's server"
	if !v.KeysGone || len(v.Problems) != 1 || !strings.Contains(v.Problems[0].Fix, fix) {
		t.Errorf("verify without data: %+v", v)
	}
	told(t, w.backup(), "its owner can't restore")
}

func TestLostKeyObjectIsReported(t *testing.T) {
	w := newWorld(t, newFake(2))
	keys := owners(t, w, 2).Keys
	w.forgetKeys()
	w.lose(keys[0].Object())
	report := w.backup()
	told(t, report, keys[0].Object())
	v := w.verify(0)
	if report.KeysGone || v.KeysGone {
		t.Error("one of two is called all")
	}
	problems := v.Problems
	if len(problems) != 1 || problems[0].Object != keys[0].Object() || strings.Contains(problems[0].Fix, "add it") {
		t.Errorf("verify: %+v", problems)
	}
}

func TestRepositoryWithoutKeysIsReported(t *testing.T) {
	w := newWorld(t, newFake(2))
	keys := owners(t, w, 2).Keys
	w.forgetKeys()
	w.lose(keys[0].Object())
	// One that is there and can't be opened is none.
	data := objects(t, w.store)[keys[1].Object()]
	w.plant(keys[1].Object(), append(bytes.Clone(data[1:]), 0))
	if v := w.verify(1); !v.KeysGone || len(v.Problems) != 2 || !strings.Contains(v.Problems[0].Fix, "holdfast init") {
		t.Errorf("verify: %+v", v)
	}
	w.lose(keys[1].Object())
	report := w.backup()
	told(t, report, "nobody can open this snapshot")
	if !report.KeysGone || !strings.Contains(strings.Join(report.Fixes, "\n"), "holdfast init") {
		t.Errorf("keys gone: %v, fixes %q", report.KeysGone, report.Fixes)
	}
}

// Who stole the host's key can sign; the owners must not lose theirs by it.
func TestKeysOmittedByAForgedRecordComeBack(t *testing.T) {
	w := newWorld(t, newFake(2))
	ours := owners(t, w, 2)
	image := w.src.image()
	stolen := *ours
	stolen.Sequence++
	stolen.Previous, stolen.Kept, stolen.Keys = []manifest.Hash{ours.Name()}, []manifest.Hash{ours.Name()}, nil
	text, err := stolen.Sign(w.host)
	if err == nil {
		if _, err = manifest.ParseRecord(text); err == nil {
			t.Error("a record without a key object is taken")
		}
	}
	stolen.Keys = []manifest.Key{{Name: manifest.Hash{1}, Size: 1000}}
	if text, err = stolen.Sign(w.host); err != nil {
		t.Fatal(err)
	}
	w.plant(manifest.RecordObject(stolen.Name()), text)
	for _, k := range ours.Keys {
		w.lose(k.Object())
	}
	report := w.backup()
	told(t, report, "leaves out key objects")
	for _, k := range ours.Keys {
		if objects(t, w.store)[k.Object()] == nil || !slices.Contains(report.Record.Keys, k) {
			t.Errorf("%s is gone, or the new record doesn't name it", k.Object())
		}
	}
	w.check("latest", image)
}

// The packs are still there, and the host remembers what they are.
func TestAllRecordsComeBack(t *testing.T) {
	w := newWorld(t, sample())
	first := w.src.image()
	w.backup()
	w.src.night(1, 9)
	image := w.src.image()
	w.backup()
	for object := range objects(t, w.store) {
		if strings.HasPrefix(object, "snapshots/") {
			w.lose(object)
		}
	}
	_, err := vault.Open(t.Context(), w.store, w.host.Repository, nil)
	if !errors.Is(err, vault.ErrDamage) || errors.Is(err, vault.ErrNoRepository) {
		t.Errorf("elsewhere: %v", err)
	}
	told(t, w.backup(), "put back")
	w.check("latest", image)
	w.check("1", first)
	if v := w.verify(1); len(v.Problems) != 0 {
		t.Errorf("%+v", v.Problems)
	}
}
