package vault_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/pack"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/remote/remotetest"
	"holdfast/seal"
	"holdfast/vault"
)

// forge puts a snapshot as somebody who stole the host's key could: signed as
// it should be, with a listing and a media pack of the thief's choice.
func (w *world) forge(listing string, payload []byte) {
	w.t.Helper()
	sealer, err := seal.NewSealer(w.host.Recipient)
	testkit.OK(w.t, err)
	put := func(data []byte) manifest.Pack {
		p := manifest.Pack{Name: sha256.Sum256(data), Size: int64(len(data))}
		testkit.OK(w.t, w.store.Put(w.t.Context(), p.Object(), bytes.NewReader(data), p.Size))
		return p
	}
	pw, err := pack.NewWriter(sealer, pack.Fast)
	testkit.OK(w.t, err)
	testkit.OK(w.t, pw.Start(make([]byte, 0, pack.Size)))
	if _, err := pw.Add([]byte(listing)); err != nil {
		w.t.Fatal(err)
	}
	sealed, err := pw.Finish()
	testkit.OK(w.t, err)
	lines := put(sealed.Bytes)
	lines.Number = 901
	var hostile bytes.Buffer
	s, err := sealer.Seal(&hostile)
	testkit.OK(w.t, err)
	s.Write(payload)
	s.Close()
	media := put(hostile.Bytes())
	media.Number = 900
	head := w.open().Head()
	now, size := time.Now(), int64(len(listing))
	rec := &manifest.Record{
		Format: 1, Kind: manifest.KindBackup, Repository: w.host.Repository, Instance: "example.org",
		Sequence: head.Sequence + 1, Previous: []manifest.Hash{head.Name()}, Kept: append(head.Kept, head.Name()),
		Started: now, Time: now, Finished: now, Keys: head.Keys, Epoch: 1,
		Packs: map[manifest.Part][]manifest.Pack{manifest.Media: {media}, manifest.Listing: {lines}},
		ListingAt: &manifest.ListingAt{
			Size: size, SHA256: sha256.Sum256([]byte(listing)),
			Extents: []manifest.Extent{{Pack: 901, Length: size}},
		},
	}
	text, err := rec.Sign(w.host)
	testkit.OK(w.t, err)
	object := manifest.RecordObject(rec.Name())
	testkit.OK(w.t, w.store.Put(w.t.Context(), object, bytes.NewReader(text), int64(len(text))))
}

func TestSignedLiesWriteNothing(t *testing.T) {
	frames, _ := zstd.NewWriter(nil)
	honest := frames.EncodeAll([]byte("hello"), nil)
	bomb := frames.EncodeAll(make([]byte, 256<<20), nil)
	const hello = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"
	medium := func(path string, size int64, extents string) string {
		return fmt.Sprintf(`{"part":"media","path":%q,"size":%d,"mode":"0644",`+
			`"modified":"2026-11-22T03:00:00Z","sha256":%q,"extents":%s}`+"\n", path, size, hello, extents)
	}
	const twoPages = `{"part":"database","path":"sqlite.db","size":8192,"mode":"0600",` +
		`"modified":"2026-11-22T03:00:00Z","page_size":4096}` + "\n"
	const mapOfOne = `{"part":"database","path":"sqlite.db","segment":0,"night":1,` +
		`"runs":[{"pack":900,"offset":0,"steps":[0,0,1]}]}` + "\n"
	for name, c := range map[string]struct {
		listing string
		payload []byte
	}{
		"a path that climbs":           {medium("../../evil", 5, "[[900,0,5]]"), honest},
		"an absolute path":             {medium("/evil", 5, "[[900,0,5]]"), honest},
		"a path through a file":        {medium("a", 5, "[[900,0,5]]") + medium("a/b", 5, "[[900,0,5]]"), honest},
		"a pack that is not named":     {medium("a", 5, "[[899,0,5]]"), honest},
		"bytes beyond the pack":        {medium("a", 50, "[[900,0,50]]"), honest},
		"a frame of 256 MiB":           {medium("a", 1<<30, "[[900,0,1073741824]]"), bomb},
		"bytes of a frame too large":   {medium("a", 5, "[[900,0,5]]"), bomb},
		"a payload that is no zstd":    {medium("a", 5, "[[900,0,5]]"), []byte("not compressed at all")},
		"a file of an exabyte":         {medium("a", 1<<60, "[[900,0,1152921504606846976]]"), honest},
		"a database without pages":     {strings.Replace(medium("a", 4096, "[]"), `"media"`, `"database"`, 1), honest},
		"a map that leaves out a page": {twoPages + mapOfOne, honest},
	} {
		w := newWorld(t, newFake(2))
		w.backup()
		w.forge(c.listing, c.payload)
		dir := filepath.Join(t.TempDir(), "out")
		_, err := w.restore("latest", dir, vault.RestoreConfig{})
		if err == nil {
			t.Errorf("%s: was restored", name)
		}
		entries, _ := os.ReadDir(dir)
		if len(entries) > 1 || len(entries) == 1 && entries[0].Name() != ".holdfast-restore" {
			t.Errorf("%s: %v stands under a final name", name, entries)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "evil")); err == nil {
			t.Errorf("%s: a file was written outside", name)
		}
	}
}

func TestRestoreFollowsNoLinkInTheTarget(t *testing.T) {
	w := newWorld(t, sample())
	w.backup()
	outside := t.TempDir()
	for _, link := range []string{".holdfast-restore", ".holdfast-restore/tree", ".holdfast-restore/tree/storage"} {
		dir := t.TempDir()
		testkit.OK(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o700))
		testkit.OK(t, os.Symlink(outside, filepath.Join(dir, link)))
		// Refused, or taken away.
		_, err := w.restore("latest", dir, vault.RestoreConfig{})
		if info, statErr := os.Lstat(filepath.Join(dir, "storage")); err == nil && (statErr != nil || !info.IsDir()) {
			t.Errorf("%s: there is no storage folder, and no error: %v", link, statErr)
		}
		if entries, _ := os.ReadDir(outside); len(entries) != 0 {
			t.Fatalf("%s: %v was written outside", link, entries)
		}
	}
}

func TestRecordOfAnOldGenerationCountsOnlyIfKept(t *testing.T) {
	w := newWorld(t, newFake(2))
	w.backup()
	keys := w.keys()
	thief := *w
	thief.state = t.TempDir()
	// The owner certified a new key: the old one ends at the head.
	next, err := keys.Certify("example.org", 2, w.open().Head().Name().Hex())
	testkit.OK(t, err)
	w.host, w.state = next, t.TempDir()
	w.src.night(1, 2)
	ours := w.backup().Record
	// The old key goes on signing, and claims to supersede the new head.
	stolen := *ours
	stolen.Sequence += 10
	stolen.Previous, stolen.Kept = []manifest.Hash{ours.Name()}, append([]manifest.Hash{ours.Name()}, ours.Kept...)
	text, err := stolen.Sign(thief.host)
	testkit.OK(t, err)
	object := manifest.RecordObject(stolen.Name())
	testkit.OK(t, w.store.Put(t.Context(), object, bytes.NewReader(text), int64(len(text))))
	if head := w.open().Head(); head.Name() != ours.Name() {
		t.Errorf("head %s, want %s", head.ID(), ours.ID())
	}
	if _, err := thief.try(t.Context()); !errors.Is(err, vault.ErrRefused) {
		t.Errorf("the old key's host: %v", err)
	}
	w.check("latest", w.src.image())
}

func TestNewGenerationContinuesTheRecordOfItsCertificate(t *testing.T) {
	w := newWorld(t, newFake(2))
	last := w.backup().Record
	next, err := w.keys().Certify("example.org", 2, last.Name().Hex())
	testkit.OK(t, err)
	// The thief was quicker than the new host's first backup.
	w.src.night(1, 2)
	stolen := w.backup().Record
	w.host, w.state = next, t.TempDir()
	w.src.night(2, 2)
	ours := w.backup().Record
	if len(ours.Previous) != 1 || ours.Previous[0] != last.Name() || ours.Sequence != stolen.Sequence {
		t.Errorf("continues %v as %d, want %s as %d", ours.Previous, ours.Sequence, last.ID(), stolen.Sequence)
	}
	if head := w.open().Head(); head.Name() != ours.Name() {
		t.Errorf("head %s, want %s", head.ID(), ours.ID())
	}
	w.check("latest", w.src.image())
}

func TestRecordOfANewerFormatStopsABackup(t *testing.T) {
	w := newWorld(t, newFake(2))
	rec := *w.backup().Record
	rec.Format, rec.Sequence = 2, rec.Sequence+1
	text, err := rec.Sign(w.host)
	testkit.OK(t, err)
	testkit.OK(t, w.store.Put(t.Context(), manifest.RecordObject(rec.Name()), bytes.NewReader(text), int64(len(text))))
	if _, err := w.try(t.Context()); !errors.Is(err, vault.ErrRefused) || !errors.Is(err, manifest.ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestFileFromTheYearOneIsSaved(t *testing.T) {
	f := newFake(2)
	f.add("01A/attachment/original/old.jpeg", []byte("old"))
	f.media["01A/attachment/original/old.jpeg"] = entry{data: []byte("old")}
	w := newWorld(t, f)
	w.backup()
	w.check("latest", f.image())
}

func TestRestoreComparesEachFileWithTheListingsHash(t *testing.T) {
	frames, _ := zstd.NewWriter(nil)
	big := noise(9, 700_000)
	var packed []byte
	for frame := range slices.Chunk(append([]byte("hello world"), big...), pack.FrameSize) {
		packed = frames.EncodeAll(frame, packed)
	}
	line := func(part, path string, sum [32]byte, size int, extents string) string {
		return fmt.Sprintf(`{"part":%q,"path":%q,"size":%d,"mode":"0644",`+
			`"modified":"2026-11-22T03:00:00Z","sha256":%q,"extents":%s}`+"\n",
			part, path, size, base64.RawStdEncoding.EncodeToString(sum[:]), extents)
	}
	hello, all, none := sha256.Sum256([]byte("hello")), sha256.Sum256(big), sha256.Sum256(nil)
	good := line("media", "z", hello, 5, "[[900,0,5]]")
	for what, listing := range map[string]string{
		"an extent one byte off":      line("media", "a", hello, 5, "[[900,1,5]]"),
		"a large file one byte off":   line("media", "a", all, len(big), fmt.Sprintf("[[900,10,%d]]", len(big))),
		"two pieces in another order": line("media", "a", hello, 5, "[[900,2,3],[900,0,2]]"),
		"an empty file":               line("media", "a", hello, 0, "[]"),
		"a stream of the database":    line("database", "pre-data.sql", hello, 5, "[[900,6,5]]"),
		"two pieces of a stream":      line("database", "pre-data.sql", hello, 5, "[[900,0,3],[900,2,2]]"),
	} {
		w := newWorld(t, newFake(2))
		w.backup()
		w.forge(listing+good, packed)
		dir := filepath.Join(t.TempDir(), "out")
		for range 2 { // a second run notices, too
			_, err := w.restore("latest", dir, vault.RestoreConfig{})
			damage := (*remedy.DamageError)(nil)
			if !errors.As(err, &damage) || !errors.Is(err, vault.ErrDamage) || len(damage.Lost) != 1 {
				t.Fatalf("%s: %v", what, err)
			}
		}
		report, err := w.restore("latest", dir, vault.RestoreConfig{Salvage: true})
		if strings.Contains(listing, "database") {
			if !errors.Is(err, vault.ErrDamage) {
				t.Errorf("%s: salvaged a damaged database: %v", what, err)
			}
			continue
		}
		testkit.OK(t, err)
		if len(report.Lost) != 1 || report.Files != 1 {
			t.Errorf("%s: %+v", what, report)
		}
		compare(t, dir, map[string]string{"storage/z": "hello"})
	}
	w := newWorld(t, newFake(2))
	w.backup()
	w.forge(line("media", "a", all, len(big), fmt.Sprintf("[[900,11,%d]]", len(big)))+
		line("media", "b", hello, 5, "[[900,0,2],[900,2,3]]")+line("media", "c", none, 0, "[]")+good, packed)
	w.check("latest", map[string]string{"storage/a": string(big), "storage/b": "hello", "storage/c": "",
		"storage/z": "hello"})
}

func TestHostileObjectCostsLittleMemory(t *testing.T) {
	w := newWorld(t, newFake(2))
	head := w.backup().Record
	text, err := head.Sign(w.host)
	testkit.OK(t, err)
	line, signature, _ := bytes.Cut(text, []byte("\n"))
	zeros := bytes.Repeat([]byte("0"), manifest.MaxRecord)
	many := func(start, each, end string, size int) []byte { // an array of size bytes
		n := (size - len(start) - len(end)) / (len(each) + 1)
		return []byte(start + strings.TrimSuffix(strings.Repeat(each+",", n), ",") + end)
	}
	full := manifest.MaxRecord - 2000
	for what, object := range map[string][]byte{
		"64 MiB of a line": append(bytes.Repeat([]byte("{"), 64<<20), "\n\n"...),
		"a large text":     fmt.Appendf(nil, `{"a":"%s",%s`+"\n%s", zeros[:full-len(line)], line[1:], signature),
		"many members":     append(many("{", `"a":1`, "}", full), "\nx\n"...),
		"many levels":      append(bytes.Repeat([]byte("["), full), "\nx\n"...),
		"many extents": signLine(w.host, bytes.Replace(line, []byte(`"extents":[[`),
			many(`"extents":[`, "[1,0,1]", ",[", full-len(line)), 1)),
		"many hashes": signLine(w.host, bytes.Replace(line, []byte(`"kept":[`),
			many(`"kept":[`, `"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"`, ",", full-len(line)), 1)),
		"one long number": signLine(w.host, bytes.Replace(line, []byte(`"sequence":`),
			append([]byte(`"sequence":1`), zeros[:full-len(line)]...), 1)),
	} {
		name := remotetest.Name("snapshots", object)
		w.plant(name, object)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		repo := w.open()
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
			t.Errorf("%s: %d MiB", what, used>>20)
		}
		if len(repo.Warnings) != 1 || len(repo.Warnings[0]) > 1000 {
			t.Errorf("%s: head %s, %d warnings: %.1000q", what, repo.Head().ID(), len(repo.Warnings), repo.Warnings)
		}
		testkit.OK(t, w.store.(remote.Pruner).Delete(t.Context(), name))
	}
}

// signLine returns a record with a line of a thief's choice.
func signLine(h *seal.Host, line []byte) []byte {
	return fmt.Appendf(nil, "%s\n%s\n", line, base64.StdEncoding.EncodeToString(h.SignRecord(line)))
}

func TestTwoRootsWithoutAPinAreBothNamed(t *testing.T) {
	w := newWorld(t, newFake(2))
	w.backup()
	owner, _ := newOwner(t)
	f, err := vault.NewFounding("evil.example", "test", []seal.Owner{owner})
	testkit.OK(t, err)
	other := &remotetest.Memory{}
	testkit.OK(t, f.Publish(t.Context(), other))
	for name, data := range objects(t, other) {
		w.plant(name, data)
	}
	_, err = vault.Open(t.Context(), w.store, seal.RepositoryID{}, nil)
	if !remedy.Is(err, remedy.Refused) || !errors.Is(err, vault.ErrOtherRoot) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{w.host.Repository.String() + " of example.org",
		f.Host.Repository.String() + " of evil.example"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if head := w.open().Head(); head.Repository != w.host.Repository { // with a pin
		t.Errorf("head of %s", head.Repository)
	}
	w.backup()
}

func TestJunkBesideDeletedRecordsDoesNotEndBackups(t *testing.T) {
	w := newWorld(t, newFake(2))
	w.backup()
	head := w.backup().Record
	for name := range objects(t, w.store) {
		if strings.HasPrefix(name, "snapshots/") {
			testkit.OK(t, w.store.(remote.Pruner).Delete(t.Context(), name))
		}
	}
	for _, junk := range []string{"junk", "{\"format\":2}\nx\n", "{\"format\":1}\nx\n"} {
		w.plant(remotetest.Name("snapshots", []byte(junk)), []byte(junk))
	}
	report := w.backup()
	if !slices.Contains(report.Record.Kept, head.Name()) || !report.Damage {
		t.Errorf("keeps %v, damage %v", report.Record.Kept, report.Damage)
	}
	w.check("latest", w.src.image())
}
