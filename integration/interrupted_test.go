package integration_test

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// big has a first backup of several packs.
var big = sample.Config{Media: 40, MediaBytes: 32 << 10, VideoBytes: 90 << 20}

// halfway begins a first backup that stores two packs and is kept from storing
// more until the proxy's release.
func halfway(t *testing.T) (*host, *proxy, *command) {
	t.Helper()
	at, p := minioPlace(t)
	h := newHost(t, at, big)
	reached := p.holdAfter(http.MethodPut, 2)
	c := h.holdfast("backup").start()
	c.until(reached)
	return h, p, c
}

// What was stored before a run ended, however it ended, is stored once.
func TestInterruptedBackupSaysSoAndTheNextGoesOn(t *testing.T) {
	for _, stop := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL} {
		t.Run(stop.String(), func(t *testing.T) {
			if signal.Ignored(stop) {
				t.Skip("these tests run under nohup, and so does what they start")
			}
			t.Parallel()
			h, p, c := halfway(t)
			testkit.OK(t, c.Process.Signal(stop))
			if stop == syscall.SIGKILL {
				if exit := c.end(); exit != -1 {
					t.Fatalf("exit %d", exit)
				}
			} else {
				c.expect(130)
				if !strings.Contains(c.stderr.String(), "✗ backup: interrupted") || !strings.Contains(c.summary.Fix, "run it again") {
					t.Errorf("it says %q, fix %q", &c.stderr, c.summary.Fix)
				}
			}
			p.release()
			goesOn(t, h, p, arrived(p.take(), "packs"))
		})
	}
}

// nohup has the terminal's end ignored, and so it stays.
func TestBackupUnderNohupOutlivesItsTerminal(t *testing.T) {
	t.Parallel()
	at, p := minioPlace(t)
	h := newHost(t, at, big)
	reached := p.holdAfter(http.MethodPut, 2)
	c := h.holdfast("backup")
	c.Args = append([]string{"nohup", c.Path}, c.Args[1:]...)
	c.Path = "/usr/bin/nohup"
	c.start().until(reached)
	testkit.OK(t, c.Process.Signal(syscall.SIGHUP))
	p.release()
	c.expect(0)
}

func TestInterruptedRestoreSaysSoAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	at, p := minioPlace(t)
	h := newHost(t, at, big)
	h.backup()
	want := h.image()
	to := filepath.Join(t.TempDir(), "restored")
	reached := p.holdAfter(http.MethodGet, 8)
	c := h.restoring("latest", to).start()
	c.until(reached)
	testkit.OK(t, c.Process.Signal(syscall.SIGTERM))
	c.expect(130)
	p.release()
	h.compareVisible(to, want)
	// Half the files lie there as the first run wanted them.
	refused := h.holdfast("restore", "latest", "--identity", h.kit(), "--to", to, "--verbatim", "--only", "media").start().expect(20).summary
	if !strings.Contains(refused.Error+refused.Fix, "choose another folder") {
		t.Errorf("with one part it says %+v", refused)
	}
	var r struct{ Resumed bool }
	if h.restoring("latest", to).start().expect(0).result(&r); !r.Resumed {
		t.Error("it began anew")
	}
	h.compare(to, want)
}

func TestBackupGoesOnWhenTheNetworkComesBack(t *testing.T) {
	t.Parallel()
	h, p, c := halfway(t)
	refused := p.leave()
	p.release()
	c.until(refused)
	p.comeBack()
	c.expect(0)
	goesOn(t, h, p, arrived(p.take(), "packs"))
}

// It tries for a minute or two before it gives up.
func TestBackupWithoutNetworkGivesUpAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	h, p, c := halfway(t)
	p.leave()
	p.release()
	c.expect(14)
	if !strings.Contains(c.summary.Fix, "run it again") || !strings.Contains(c.summary.Effect, "no snapshot yet") {
		t.Errorf("it says %+v", c.summary)
	}
	p.comeBack()
	goesOn(t, h, p, arrived(p.take(), "packs"))
}

// putOnce notes packs that arrived, and wants them to be others than before.
func putOnce(t *testing.T, before, now map[string]int64) {
	t.Helper()
	for name, size := range now {
		if _, there := before[name]; there {
			t.Errorf("%s was put again", name)
		}
		before[name] = size
	}
}

// goesOn wants the next backup to succeed, and everything that arrived before to
// be of use to it: nothing was stored twice.
func goesOn(t *testing.T, h *host, p *proxy, all map[string]int64) {
	t.Helper()
	had := len(all)
	s := h.backup()
	putOnce(t, all, arrived(p.take(), "packs"))
	v := h.verify()
	if v.Unneeded > 0 {
		t.Errorf("%d packs arrived and are of no use", v.Unneeded)
	}
	want := h.image()
	if stored := total(all); stored > want.bytes {
		t.Errorf("%d bytes were stored of an instance of %d", stored, want.bytes)
	}
	t.Logf("%d packs had arrived, %d followed", had, len(all)-had)
	h.compare(h.restore(s.Snapshot.ID), want)
}

// dice are thrown the same way again with HOLDFAST_SEED.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("HOLDFAST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		testkit.OK(t, err)
	}
	t.Logf("HOLDFAST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// killed starts a run and kills it at a random moment of the time that such a
// run takes. It reports whether that came before the run's own end.
func (c *command) killed(rnd *rand.Rand, takes time.Duration) bool {
	c.t.Helper()
	c.start()
	timer := time.AfterFunc(time.Duration(rnd.Int64N(int64(takes))), func() { c.Process.Kill() })
	defer timer.Stop()
	return c.end() == -1
}

// A host backs up night after night, and is killed again and again.
func TestKilledBackupsHarmNoSnapshot(t *testing.T) {
	t.Parallel()
	rnd := dice(t)
	h := newHost(t, folder(t), sample.Config{})
	first := h.holdfast("backup").start().expect(0)
	takes := first.took
	snapshots := map[string]image{h.latest(): h.image()}
	for kills, night := 0, 0; kills < times(8, 160); {
		if rnd.IntN(3) > 0 {
			night++
			testkit.OK(t, h.inst.Night(night))
		}
		now := h.image()
		c := h.holdfast("backup")
		died := c.killed(rnd, takes)
		if died {
			kills++
		} else if c.ProcessState.ExitCode() != 0 {
			t.Fatalf("after %d kills: exit %d\n%s", kills, c.ProcessState.ExitCode(), &c.stderr)
		}
		// It was reported saved if its last line got out, killed or not.
		if c.summary.Type == "summary" && c.summary.Exit == 0 {
			var s saved
			c.result(&s)
			snapshots[s.Snapshot.ID] = now
		}
		h.verify()
		// One that was killed before it said so may be there as well.
		listed := h.list()
		for id := range snapshots {
			if !slices.Contains(listed, id) {
				t.Fatalf("after %d kills: snapshot %s of %d is lost", kills, id, len(snapshots))
			}
		}
		some := slices.Sorted(maps.Keys(snapshots))[rnd.IntN(len(snapshots))]
		h.compareAway(some, snapshots[some])
		if died && rnd.IntN(2) > 0 {
			continue // and is killed before it recovers
		}
		next := h.holdfast("backup").start().expect(0)
		takes = max(takes/2, next.took)
		snapshots[h.latest()] = now
		h.compareAway("latest", now)
	}
	for id, want := range snapshots {
		h.compareAway(id, want)
	}
	t.Logf("%d snapshots", len(snapshots))
}

// A first backup over a line that isn't fast is killed until it is through.
func TestKilledUploadsAreNotRepeated(t *testing.T) {
	t.Parallel()
	rnd := dice(t)
	for kills := 0; kills < times(4, 40); {
		at, p := minioPlace(t)
		p.rate.Store(40 << 20)
		h := newHost(t, at, big)
		before := map[string]int64{}
		for range 4 {
			// Less than the whole takes: most of it is time to upload.
			died := h.holdfast("backup").killed(rnd, 2*time.Second)
			putOnce(t, before, arrived(p.take(), "packs"))
			if !died {
				break
			}
			kills++
		}
		p.rate.Store(0)
		goesOn(t, h, p, before)
	}
}

func TestKilledRestoreGoesOnAndShowsNothingUnfinished(t *testing.T) {
	t.Parallel()
	rnd := dice(t)
	h := newHost(t, folder(t), big)
	h.backup()
	want := h.image()
	takes := h.restoring("latest", filepath.Join(t.TempDir(), "whole")).start().expect(0).took
	kills, resumed := 0, 0
	for kills < times(6, 50) {
		to := filepath.Join(t.TempDir(), "restored")
		args := []string{"restore", "--identity", h.kit(), "--to", to}
		verbatim := rnd.IntN(2) == 0
		if verbatim {
			args = append(args, "--verbatim")
		}
		c := h.holdfast(args...)
		for c.killed(rnd, takes) {
			kills++
			h.compareVisible(to, want)
			c = h.holdfast(args...)
		}
		switch exit := c.ProcessState.ExitCode(); exit {
		case 0:
			var r struct{ Resumed bool }
			if c.result(&r); r.Resumed {
				resumed++
			}
		case 20: // the one before was through, but for its end
			t.Log(c.summary.Error)
		default:
			t.Fatalf("after %d kills: exit %d\n%s", kills, exit, &c.stderr)
		}
		database := filepath.Join(to, "sqlite.db")
		sound(t, database)
		if !verbatim { // compare all else with the database as it was
			noneCached(t, database)
			testkit.OK(t, os.Remove(database))
			testkit.OK(t, os.Symlink(h.inst.Database(), database))
		}
		h.compare(to, want)
		testkit.OK(t, os.RemoveAll(to))
	}
	t.Logf("%d kills; %d restores went on where they were", kills, resumed)
	if full && resumed == 0 {
		t.Error("none went on: this shows little")
	}
}

// compareVisible wants whatever stands under its final name to be whole.
func (h *host) compareVisible(to string, want image) {
	h.t.Helper()
	entries, err := os.ReadDir(to)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	testkit.OK(h.t, err)
	for _, e := range entries {
		path := filepath.Join(to, e.Name())
		switch e.Name() {
		case ".holdfast-restore", "run.env":
		case "sqlite.db":
			// Whole, or mended.
			if sound(h.t, path); testkit.Size(h.t, path) != testkit.Size(h.t, h.inst.Database()) {
				h.t.Errorf("%s is partial", path)
			}
		case "storage":
			testkit.SameTree(h.t, path, want.media)
		case "files":
			if testkit.Sum(h.t, filepath.Join(path, h.config)) != want.config {
				h.t.Errorf("%s is partial", path)
			}
		default:
			h.t.Errorf("%s appeared", path)
		}
	}
}
