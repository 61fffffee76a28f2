package integration_test

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
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

// big is an instance whose first backup has several packs.
var big = sample.Config{Media: 40, MediaBytes: 32 << 10, VideoBytes: 90 << 20}

// halfway starts a first backup. The proxy lets two packs pass and holds the
// others until its release.
func halfway(t *testing.T) (*host, *proxy, *command) {
	t.Helper()
	at, p := minioRemote(t)
	h := newHost(t, at, big)
	reached := p.holdAfter(http.MethodPut, 2)
	c := h.holdfast("backup").start()
	c.until(reached)
	return h, p, c
}

// The next backup uses each pack that an interrupted backup stored.
func TestBackupContinuesAfterAnInterruption(t *testing.T) {
	for _, stop := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(stop.String(), func(t *testing.T) {
			t.Parallel()
			h, p, c := halfway(t)
			testkit.OK(t, c.Process.Signal(stop))
			if stop == syscall.SIGKILL {
				if exit := c.end(); exit != -1 {
					t.Fatalf("exit %d", exit)
				}
			} else {
				c.expect(130).says("", "run the command again")
				if !strings.Contains(c.stderr.String(), "✗ backup: interrupted") {
					t.Errorf("the program prints %q", &c.stderr)
				}
			}
			p.release()
			goesOn(t, h, p, arrived(p.take(), "packs"))
		})
	}
}

func TestRestoreContinuesAfterAnInterruption(t *testing.T) {
	t.Parallel()
	at, p := minioRemote(t)
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
	// The folder holds half the files, restored with other arguments.
	args := []string{"restore", "latest", "--identity", h.kit(), "--to", to, "--verbatim", "--only", "media"}
	refused := h.holdfast(args...).start().expect(20).summary
	if !strings.Contains(refused.Error+refused.Fix, "choose another folder") {
		t.Errorf("with other arguments: %+v", refused)
	}
	var r struct{ Resumed bool }
	if h.restoring("latest", to).start().expect(0).result(&r); !r.Resumed {
		t.Error("the restore started from the beginning")
	}
	h.compare(to, want)
}

func TestBackupContinuesWhenTheNetworkComesBack(t *testing.T) {
	t.Parallel()
	h, p, c := halfway(t)
	refused := p.leave()
	p.release()
	c.until(refused)
	p.comeBack()
	c.expect(0)
	goesOn(t, h, p, arrived(p.take(), "packs"))
}

// Without a network the backup fails after a minute or two.
func TestBackupWithoutNetworkFailsAndTheNextContinues(t *testing.T) {
	t.Parallel()
	h, p, c := halfway(t)
	p.leave()
	p.release()
	c.expect(14).says("", "run the command again")
	if !strings.Contains(c.summary.Effect, "no snapshot yet") {
		t.Errorf("effect: %s", c.summary.Effect)
	}
	p.comeBack()
	goesOn(t, h, p, arrived(p.take(), "packs"))
}

// putOnce adds packs to the packs before. No pack may be stored twice.
func putOnce(t *testing.T, before, now map[string]int64) {
	t.Helper()
	for name, size := range now {
		if _, there := before[name]; there {
			t.Errorf("%s was put again", name)
		}
		before[name] = size
	}
}

// goesOn wants the next backup to succeed, to use every pack in all, and to store
// no pack again.
func goesOn(t *testing.T, h *host, p *proxy, all map[string]int64) {
	t.Helper()
	had := len(all)
	s := h.backup()
	putOnce(t, all, arrived(p.take(), "packs"))
	v := h.verify()
	if v.Unneeded > 0 {
		t.Errorf("no snapshot needs %d of the packs", v.Unneeded)
	}
	want := h.image()
	if stored := total(all); stored > want.bytes {
		t.Errorf("%d bytes were stored of an instance of %d", stored, want.bytes)
	}
	t.Logf("%d packs had arrived, %d followed", had, len(all)-had)
	h.compare(h.restore(s.Snapshot.ID), want)
}

// dice returns random numbers. HOLDFAST_SEED repeats the numbers of an earlier run.
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

// killer kills runs at random moments of the time that a run takes.
type killer struct {
	rnd   *rand.Rand
	takes time.Duration
}

func newKiller(t *testing.T, takes time.Duration) *killer {
	t.Helper()
	return &killer{rnd: dice(t), takes: takes}
}

// kills starts a run, and reports whether the kill came before the run's own end.
// The killer waits longer after each kill, and shorter after each other run: the
// speed of the machine may change meanwhile.
func (k *killer) kills(c *command) bool {
	c.t.Helper()
	c.start()
	timer := time.AfterFunc(time.Duration(k.rnd.Int64N(int64(k.takes))), func() { c.Process.Kill() })
	defer timer.Stop()
	if c.end() == -1 {
		k.takes += k.takes / 8
		return true
	}
	k.takes = max(k.takes/2, c.took)
	return false
}

// A host backs up night after night, and the backups are killed again and again.
func TestKilledBackupsHarmNoSnapshot(t *testing.T) {
	t.Parallel()
	h := newHost(t, folderRemote(t), sample.Config{Statuses: times(1000, 3000), Media: times(8, 24)})
	k := newKiller(t, h.holdfast("backup").start().expect(0).took)
	rnd := k.rnd
	snapshots := map[string]image{h.latest(): h.image()}
	for kills, night := 0, 0; kills < times(8, 160); {
		if rnd.IntN(3) > 0 {
			night++
			testkit.OK(t, h.inst.Night(night))
		}
		now := h.image()
		c := h.holdfast("backup")
		died := k.kills(c)
		if died {
			kills++
		} else if c.ProcessState.ExitCode() != 0 {
			t.Fatalf("after %d kills: exit %d\n%s", kills, c.ProcessState.ExitCode(), &c.stderr)
		}
		// The last line reports the snapshot, even if the kill came later.
		if c.summary.Type == "summary" && c.summary.Exit == 0 {
			var s saved
			c.result(&s)
			snapshots[s.Snapshot.ID] = now
		}
		h.verify()
		// A killed run may have stored another snapshot without a report.
		listed := h.list()
		for id := range snapshots {
			if !slices.Contains(listed, id) {
				t.Fatalf("after %d kills: snapshot %s of %d is lost", kills, id, len(snapshots))
			}
		}
		some := slices.Sorted(maps.Keys(snapshots))[rnd.IntN(len(snapshots))]
		h.compareAway(some, snapshots[some])
		if died && rnd.IntN(2) > 0 {
			continue // the next kill comes before a whole backup
		}
		h.holdfast("backup").start().expect(0)
		snapshots[h.latest()] = now
		h.compareAway("latest", now)
	}
	for id, want := range snapshots {
		h.compareAway(id, want)
	}
	t.Logf("%d snapshots", len(snapshots))
}

// A first backup over a slow line is killed until a run succeeds.
func TestKilledUploadsAreNotRepeated(t *testing.T) {
	t.Parallel()
	// The upload alone takes longer.
	k := newKiller(t, 2*time.Second)
	for kills := 0; kills < times(4, 40); {
		at, p := minioRemote(t)
		p.rate.Store(40 << 20)
		h := newHost(t, at, big)
		before := map[string]int64{}
		for range 4 {
			died := k.kills(h.holdfast("backup"))
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

func TestKilledRestoreShowsOnlyWholeFiles(t *testing.T) {
	t.Parallel()
	h := newHost(t, folderRemote(t), big)
	h.backup()
	want := h.image()
	k := newKiller(t, h.restoring("latest", filepath.Join(t.TempDir(), "whole")).start().expect(0).took)
	kills, resumed := 0, 0
	for kills < times(6, 50) {
		to := filepath.Join(t.TempDir(), "restored")
		args := []string{"restore", "--identity", h.kit(), "--to", to}
		verbatim := k.rnd.IntN(2) == 0
		if verbatim {
			args = append(args, "--verbatim")
		}
		c := h.holdfast(args...)
		for k.kills(c) {
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
		case 20: // the killed run had finished all files
			t.Log(c.summary.Error)
		default:
			t.Fatalf("after %d kills: exit %d\n%s", kills, exit, &c.stderr)
		}
		database := filepath.Join(to, "sqlite.db")
		sound(t, database)
		if !verbatim { // the database differs: compare the other files
			noneCached(t, database)
			testkit.OK(t, os.Remove(database))
			testkit.OK(t, os.Symlink(h.inst.Database(), database))
		}
		h.compare(to, want)
		testkit.OK(t, os.RemoveAll(to))
	}
	t.Logf("%d kills; %d restores continued", kills, resumed)
	if full && resumed == 0 {
		t.Error("no restore continued: this proves little")
	}
}

// compareVisible wants each file under its final name to be whole.
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
			// The database may be mended for the restore.
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
