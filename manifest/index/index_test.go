package index

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
)

func opened(t *testing.T, dir string) *Index {
	t.Helper()
	x, _, err := Open(dir)
	testkit.OK(t, err)
	t.Cleanup(func() { x.Close() })
	return x
}

func sum(n int) manifest.Hash { return sha256.Sum256([]byte{byte(n), byte(n >> 8)}) }

// smallPack is a pack of one byte.
func smallPack(number uint32, part manifest.Part) Pack {
	return Pack{Pack: manifest.Pack{Number: number, Name: sum(int(number)), Size: 1}, Part: part}
}

func trailOf(t *Trail) map[string]string { return map[string]string{"sqlite.db": t.Name()} }

// damage writes over the index in dir.
func damage(t *testing.T, dir string) {
	t.Helper()
	text := []byte("not a database, and longer than a header")
	testkit.OK(t, os.WriteFile(filepath.Join(dir, "index.db"), text, 0o600))
}

// addPages adds a pack of pages.
func addPages(t *testing.T, x *Index, number uint32, pages ...int64) {
	t.Helper()
	c := Contents{Path: "sqlite.db", PageSize: 4096}
	for _, p := range pages {
		c.Pages = append(c.Pages, Page{p, SumOf(sum(int(number)*1000 + int(p)))})
	}
	testkit.OK(t, x.AddPack(smallPack(number, manifest.Database), c))
}

func TestPackNumbersNeverComeBack(t *testing.T) {
	dir := t.TempDir()
	x := opened(t, dir)
	last, err := x.NextPack(40)
	if err != nil || last != 41 {
		t.Fatalf("%d, %v", last, err)
	}
	testkit.OK(t, x.AddPack(smallPack(last, manifest.Media), Contents{}))
	testkit.OK(t, x.Drop([]uint32{last}))
	x.Close()
	if next, err := opened(t, dir).NextPack(0); err != nil || next != 42 {
		t.Errorf("%d, %v", next, err)
	}
}

func TestDroppedPackTakesChunksFilesAndPagesAlong(t *testing.T) {
	x := opened(t, t.TempDir())
	extents := []manifest.Extent{{Pack: 1, Offset: 0, Length: 5}}
	file := manifest.File{Part: manifest.Media, Path: "a", Size: 5, Extents: extents}
	err := x.AddPack(Pack{Pack: manifest.Pack{Number: 1, Name: sum(1), Size: 1}, Part: manifest.Media},
		Contents{Chunks: []Chunk{{sum(9), 0, 5}}, Files: []manifest.File{file}})
	testkit.OK(t, err)
	count := func() (n int) {
		for _, err := range x.Files(manifest.Media) {
			testkit.OK(t, err)
			n++
		}
		return n
	}
	if _, ok, err := x.Finder(manifest.Media).Find(sum(9)); !ok || err != nil || count() != 1 {
		t.Fatal("not found at first")
	}
	if _, ok, _ := x.Finder(manifest.Files).Find(sum(9)); ok {
		t.Error("found for another part")
	}
	testkit.OK(t, x.Drop([]uint32{1}))
	if _, ok, _ := x.Finder(manifest.Media).Find(sum(9)); ok || count() != 0 {
		t.Error("found in a pack that is gone")
	}
}

func TestDamagedIndexIsReplaced(t *testing.T) {
	dir := t.TempDir()
	damage(t, dir)
	x, fresh, err := Open(dir)
	if err != nil || !fresh {
		t.Fatalf("fresh %v, %v", fresh, err)
	}
	defer x.Close()
	if _, err := x.NextPack(0); err != nil {
		t.Error(err)
	}
}

func TestPathThatIsNoIndexIsKept(t *testing.T) {
	dir := t.TempDir()
	testkit.OK(t, os.Mkdir(filepath.Join(dir, "index.db"), 0o700))
	if _, _, err := Open(dir); err == nil {
		t.Fatal("a folder was opened")
	}
	if _, err := os.Stat(filepath.Join(dir, "index.db")); err != nil {
		t.Error("the folder was removed")
	}
}

func TestDamagedTrailBlockReadsAsUnknown(t *testing.T) {
	x := opened(t, t.TempDir())
	trail, err := x.CreateTrail(4096)
	testkit.OK(t, err)
	defer trail.Close()
	var want, got [BlockPages]Entry
	for i := range want {
		want[i] = Entry{SumOf(sum(i)), 7, uint32(i * 4096)}
	}
	for block := range int64(3) {
		testkit.OK(t, trail.Write(block, &want))
	}
	if err := trail.Read(1, &got); err != nil || got != want {
		t.Fatalf("block 1 does not read back: %v", err)
	}
	for at := range int64(blockSize) {
		var b [1]byte
		trail.f.ReadAt(b[:], trailHead+blockSize+at)
		trail.f.WriteAt([]byte{b[0] ^ 4}, trailHead+blockSize+at)
		if err := trail.Read(1, &got); err != nil || got != [BlockPages]Entry{} {
			t.Fatalf("a flipped bit of byte %d was believed", at)
		}
		trail.f.WriteAt(b[:], trailHead+blockSize+at)
	}
	for _, block := range []int64{0, 2} {
		if err := trail.Read(block, &got); err != nil || got != want {
			t.Errorf("block %d: %v", block, err)
		}
	}
	if err := trail.Read(3, &got); err != nil || got != [BlockPages]Entry{} {
		t.Errorf("past the end: %v", err)
	}
}

func TestResumeAddsPagesOfLaterPacks(t *testing.T) {
	dir := t.TempDir()
	x := opened(t, dir)
	addPages(t, x, 1, 0, 1, 2, 100)
	trail, err := x.Resume("sqlite.db", 4096)
	testkit.OK(t, err)
	s := Snapshot{Name: sum(500), Text: []byte("x"), Packs: []uint32{1}, Trails: trailOf(trail)}
	testkit.OK(t, x.Commit(s))
	trail.Close()
	addPages(t, x, 2, 1, 200)
	addPages(t, x, 3, 100)
	x.Close()

	x = opened(t, dir) // as after a crash
	trail, err = x.Resume("sqlite.db", 4096)
	testkit.OK(t, err)
	defer trail.Close()
	for page, pack := range map[int64]uint32{0: 1, 1: 2, 2: 1, 3: 0, 100: 3, 200: 2} {
		var e [BlockPages]Entry
		testkit.OK(t, trail.Read(page/BlockPages, &e))
		got := e[page%BlockPages]
		if got.Pack != pack || pack != 0 && got.Sum != SumOf(sum(int(pack)*1000+int(page))) {
			t.Errorf("page %d: %+v, want pack %d", page, got, pack)
		}
	}
	if other, err := x.Resume("sqlite.db", 8192); err != nil {
		t.Error(err)
	} else {
		var e [BlockPages]Entry
		if other.Read(0, &e); e != [BlockPages]Entry{} {
			t.Error("pages of another size were believed")
		}
		other.Close()
	}
}

func TestUncommittedTrailsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	x := opened(t, dir)
	var last *Trail
	for i := range 3 {
		trail, err := x.CreateTrail(4096)
		testkit.OK(t, err)
		last = trail
		testkit.OK(t, x.Commit(Snapshot{Name: sum(i), Text: []byte("x"), Trails: trailOf(trail)}))
		trail.Close()
	}
	entries, _ := os.ReadDir(filepath.Join(dir, "trail"))
	if len(entries) != 1 || entries[0].Name() != filepath.Base(last.Name()) {
		t.Errorf("%d trails are left", len(entries))
	}
	if head, err := x.Head(); err != nil || head != sum(2) {
		t.Errorf("head %v, %v", head, err)
	}
}

// A run of another user may leave an unreadable trail.
func TestUnreadableTrailCountsAsLost(t *testing.T) {
	if testkit.RunAsNobody(t) { // root may read and write everything
		return
	}
	x := opened(t, t.TempDir())
	trail, err := x.CreateTrail(4096)
	testkit.OK(t, err)
	defer trail.Close()
	testkit.OK(t, x.Commit(Snapshot{Name: sum(1), Text: []byte("x"), Trails: trailOf(trail)}))
	testkit.OK(t, os.Chmod(trail.Name(), 0))
	if lost, err := x.Trail("sqlite.db", 4096); lost != nil || err != nil {
		t.Errorf("%v, %v", lost, err)
	}
}

func TestMemoryIsReadBesideAnOpenIndex(t *testing.T) {
	dir := t.TempDir()
	if m, err := ReadMemory(dir); err != nil || !m.Head.IsZero() {
		t.Errorf("of no index: %v, %v", m, err)
	}
	x := opened(t, dir)
	if m, err := ReadMemory(dir); err != nil || !m.Head.IsZero() {
		t.Errorf("of an empty index: %v, %v", m, err)
	}
	testkit.OK(t, x.SetLostHeads([]manifest.Hash{sum(1), sum(2)}))
	testkit.OK(t, x.Commit(Snapshot{Name: sum(3), Text: []byte("three")}))
	m, err := ReadMemory(dir)
	gone := []manifest.Hash{sum(1), sum(2)}
	if err != nil || m.Head != sum(3) || string(m.Text) != "three" || !slices.Equal(m.LostHeads, gone) {
		t.Errorf("%v, %v", m, err)
	}
	x.Close()
	if m, err := ReadMemory(dir); err != nil || m.Head != sum(3) {
		t.Errorf("of a closed index: %v, %v", m, err)
	}
	damage(t, dir)
	if m, err := ReadMemory(dir); err != nil || !m.Head.IsZero() {
		t.Errorf("of a damaged index: %v, %v", m, err)
	}
}

// An upgrade of Holdfast costs a reading of the files, never an upload.
func TestIndexOfVersion2KeepsPacksAndFiles(t *testing.T) {
	dir := t.TempDir()
	x := opened(t, dir)
	testkit.OK(t, x.AddPack(smallPack(1, manifest.Media), Contents{}))
	file := manifest.File{Part: manifest.Media, Path: "a", Extents: []manifest.Extent{{Pack: 1, Length: 1}}}
	testkit.OK(t, x.PutFiles([]manifest.File{file}))
	_, err := x.db.Exec("ALTER TABLE files DROP COLUMN changed; PRAGMA user_version=2")
	testkit.OK(t, err)
	x.Close()
	x, fresh, err := Open(dir)
	testkit.OK(t, err)
	defer x.Close()
	packs, err := x.Packs()
	if err != nil || fresh || len(packs) != 1 {
		t.Fatalf("fresh %v, %d packs, %v", fresh, len(packs), err)
	}
	for f, err := range x.Files(manifest.Media) {
		if err != nil || f.Path != "a" || f.Changed != Nanoseconds(Unsettled) {
			t.Errorf("%+v, %v", f, err)
		}
	}
}
