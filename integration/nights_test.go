package integration_test

import (
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// Each night of a month can be restored. A night stores its changes only, and a
// restore fetches few bytes that the snapshot does not need.
func TestNightsAndRestoresStaySmall(t *testing.T) {
	t.Parallel()
	at, p := minioRemote(t)
	h := newHost(t, at, sample.Config{})
	h.backup()
	var most int64
	for night := 1; night <= times(5, 30); night++ {
		testkit.OK(t, h.inst.Night(night))
		p.take()
		s := h.backup()
		put := p.take()
		listings := listings(t, h, arrived(put, "packs"))
		if len(listings) == 0 {
			t.Fatalf("night %d: no listing was stored", night)
		}
		beside := total(arrived(put, "snapshots")) + total(listings)
		t.Logf("night %d: %d bytes stored, with %d of listing, maps and record", night, s.Snapshot.Stored, beside)
		most = max(most, beside)
		h.compareAway(s.Snapshot.ID, h.image())
	}
	if most > 100_000 {
		t.Errorf("listing, maps and record took up to %d bytes a night, want at most 100 kB", most)
	}

	p.take()
	want := h.image()
	h.compareAway("latest", want)
	var fetched int64
	for _, r := range p.take() {
		fetched += r.answered
	}
	share := float64(fetched) / float64(want.bytes)
	t.Logf("the restore fetched %d bytes for an instance of %d: %.2f times", fetched, want.bytes, share)
	if share > 2.5 {
		t.Error("the promise is at most 2.5 times")
	}
}

// listings returns the packs that hold a listing according to the newest record.
func listings(t *testing.T, h *host, packs map[string]int64) map[string]int64 {
	t.Helper()
	rec := h.newest()
	sizes := map[string]int64{}
	for _, p := range rec.Packs[manifest.Listing] {
		if size, new := packs[p.Object()]; new {
			sizes[p.Object()] = size
		}
	}
	return sizes
}

func TestDemoTellsItsStory(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	c := newCommand(t, []string{"HOME=" + home, "PATH=/nowhere"}, "demo")
	c.Args = append(c.Args[:1], "demo")
	c.Dir = home
	if c.start(); c.end() != 0 {
		t.Fatalf("%s%s", &c.stdout, &c.stderr)
	}
	t.Log(&c.stdout)
	for _, words := range []string{
		"a small instance", "recovery kit", "A day goes by", "nothing is damaged", "burns down", "media files equal",
		"Every byte is back",
	} {
		if !strings.Contains(c.stdout.String(), words) {
			t.Errorf("the demonstration does not print %q", words)
		}
	}
	if left := testkit.Names(t, home); len(left) > 0 {
		t.Errorf("the demonstration left %v", left)
	}
}

// The server needs most of the one or two gigabytes of its machine.
func TestMemoryStaysSmall(t *testing.T) {
	if !full {
		t.Skip("needs hundreds of megabytes: HOLDFAST_FULL=1")
	}
	h := newHost(t, folderRemote(t),
		sample.Config{Statuses: 60_000, Media: 1200, MediaBytes: 128 << 10, VideoBytes: 200 << 20})
	measured := func(what string, c *command) {
		t.Helper()
		c.measured().start().expect(0)
		t.Logf("%s: %d MiB, %v", what, c.peak()>>20, c.took)
		if c.peak() > 128<<20 {
			t.Errorf("%s took %d bytes of memory, want at most 128 MiB", what, c.peak())
		}
	}
	measured("first backup", h.holdfast("backup"))
	measured("unchanged backup", h.holdfast("backup"))
	testkit.OK(t, h.inst.Night(1))
	measured("night", h.holdfast("backup"))
	measured("verify", h.holdfast("verify", "--data", "all"))
	to := filepath.Join(t.TempDir(), "restored")
	measured("restore", h.restoring("latest", to))
	want := h.image()
	t.Logf("an instance of %d MiB", want.bytes>>20)
	h.compare(to, want)
}
