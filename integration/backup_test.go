package integration_test

import (
	"bufio"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

func TestUnchangedInstanceCostsThreeRequestsAndReadsNoMedia(t *testing.T) {
	t.Parallel()
	at, p := minioRemote(t)
	h := newHost(t, at, sample.Config{})
	h.backup()
	want := h.image()
	p.take()
	s := h.backup()
	requests := p.take()
	if len(requests) > 3 {
		t.Errorf("%d requests: %v", len(requests), requests)
	}
	if n := len(arrived(requests, "snapshots")); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	if packs := arrived(requests, "packs"); len(packs) > 0 || s.Packs > 0 || s.NewFiles > 0 {
		t.Errorf("stored packs %v, read %d files", packs, s.NewFiles)
	}
	h.compare(h.restore(s.Snapshot.ID), want)
}

// A slow remote must not make the server's log grow. The transaction ends when the
// spool is full. The next pass is short, because it does not store the same pages
// again.
func TestSlowRemoteMakesSeveralShortTransactions(t *testing.T) {
	t.Parallel()
	at, p := minioRemote(t)
	h := newHost(t, at, sample.Config{Media: 4})
	// The bytes compress to a quarter.
	ballast(t, h.inst, times(40, 145), 3)
	h.set(fmt.Sprintf("spool: %dMiB\n", times(34, 64)))
	database := testkit.Size(t, h.inst.Database())
	if full && database < 576<<20 {
		t.Fatalf("the database has only %d bytes", database)
	}

	srv := startServer(t, h.inst)
	testkit.OK(t, h.inst.Night(1)) // creates the log
	srv.calm()
	log := h.inst.Database() + "-wal"
	first := restarts(t, log)
	c := h.holdfast("--progress", "plain", "backup")
	c.Args = append(c.Args[:1], c.Args[2:]...) // without --json the program prints the stages
	stages := follow(t, c)
	p.rate.Store(int64(times(16, 1)) << 20)
	p.holdAfter(http.MethodPut, 0) // so that the spool fills on a slow machine too
	c.start()
	var longest int64
	for stages.Scan() {
		draining := strings.HasPrefix(stages.Text(), "drain")
		if draining {
			p.release()
		}
		if draining || strings.HasPrefix(stages.Text(), "database") {
			longest = max(longest, testkit.Size(t, log))
		}
		t.Log(stages.Text(), testkit.Size(t, log))
	}
	if exit := c.end(); exit != 0 {
		t.Fatalf("exit %d: %s", exit, &c.stdout)
	}
	last := restarts(t, log)
	p.rate.Store(0)
	srv.stop()

	passes := 0
	if m := regexp.MustCompile(`the database was read (\d+) times`).FindSubmatch(c.stdout.Bytes()); m != nil {
		_, err := fmt.Sscan(string(m[1]), &passes)
		testkit.OK(t, err)
	}
	if passes < 2 {
		t.Errorf("%d passes: this proves nothing\n%s", passes, &c.stdout)
	}
	// SQLite restarts its log only while no transaction reads the log.
	if last-first < uint32(passes-1) {
		t.Errorf("the log restarted %d times in %d passes: a transaction waited for the upload", last-first, passes)
	}
	t.Logf("%d MiB in %d passes and %v; the log had at most %d KiB and restarted %d times; %.0f transactions a second",
		database>>20, passes, c.took, longest>>10, last-first, srv.rate())

	restored := filepath.Join(h.restore("latest"), "sqlite.db")
	sound(t, restored)
	testkit.OK(t, sample.CheckInvariant(restored))
	if got, want := query(t, restored, checksum), query(t, h.inst.Database(), checksum); got != want {
		t.Errorf("ballast: %s, want %s", got, want)
	}
}

// ballast adds MiB of random bytes to the database, and the given multiple of
// zeros.
func ballast(t *testing.T, s *sample.Instance, mebibytes, zeros int) {
	t.Helper()
	db, err := sql.Open("sqlite", s.Database())
	testkit.OK(t, err)
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE ballast (id INTEGER PRIMARY KEY, bytes BLOB)`)
	testkit.OK(t, err)
	_, err = db.Exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i+1 FROM n WHERE i < %d)
		INSERT INTO ballast SELECT i, CAST(randomblob(16384) || zeroblob(%d) AS BLOB) FROM n`,
		mebibytes*64, zeros*16384))
	testkit.OK(t, err)
	testkit.OK(t, db.Close())
}

const checksum = `SELECT count(*) || ' ' || sum(id * unicode(hex(substr(bytes, 1, 4)))) || ' ' || sum(length(bytes))
	FROM ballast`

// restarts returns the first salt in the header of a log. SQLite adds one to the
// salt at each restart of the log.
func restarts(t *testing.T, log string) uint32 {
	t.Helper()
	f, err := os.Open(log)
	testkit.OK(t, err)
	defer f.Close()
	header := make([]byte, 20)
	_, err = io.ReadFull(f, header)
	testkit.OK(t, err)
	return binary.BigEndian.Uint32(header[16:])
}

// follow returns the lines that a run prints to standard error, while it runs.
func follow(t *testing.T, c *command) *bufio.Scanner {
	t.Helper()
	c.Stderr = nil
	r, err := c.StderrPipe()
	testkit.OK(t, err)
	return bufio.NewScanner(r)
}

func TestSecondRunNamesTheFirst(t *testing.T) {
	t.Parallel()
	at, p := minioRemote(t)
	h := newHost(t, at, sample.Config{})
	reached := p.holdAfter(http.MethodPut, 0)
	first := h.holdfast("backup").start()
	first.until(reached)
	second := h.holdfast("backup").start()
	defer time.AfterFunc(time.Minute, func() { second.Process.Kill() }).Stop() // must not wait for the first
	second.expect(11).says(fmt.Sprintf("process %d on ", first.Process.Pid), "")
	// Reading needs no lock.
	h.holdfast("list").start().expect(19) // no snapshot yet
	p.release()
	first.expect(0)
	h.backup()
}
