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
)

func TestNothingChangedCostsThreeRequestsAndReadsNoMedia(t *testing.T) {
	t.Parallel()
	at, p := minioPlace(t)
	h := newHost(t, at, sample.Config{})
	h.backup()
	want := h.image()
	// Other bytes in every media file, at the same size and time: who opens one
	// will store them.
	for key := range want.media {
		path := filepath.Join(h.inst.Storage(), key)
		info, err := os.Stat(path)
		ok(t, err)
		text := read(t, path)
		for i := range text {
			text[i] ^= 0xff
		}
		write(t, path, text)
		ok(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	}

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

// A slow remote must not make the server's log grow: the transaction ends when
// the spool is full, and what was stored by then makes the next pass short.
func TestSlowRemoteIsBackedUpInPassesBesideAWriter(t *testing.T) {
	t.Parallel()
	at, p := minioPlace(t)
	h := newHost(t, at, sample.Config{Media: 4})
	// Four times as many bytes as come out of compression.
	ballast(t, h.inst, times(40, 145), 3)
	h.set(fmt.Sprintf("spool: %dMiB\n", times(40, 64)))
	database := fileSize(t, h.inst.Database())
	if full && database < 576<<20 {
		t.Fatalf("the database has only %d bytes", database)
	}

	srv := startServer(t, h.inst)
	ok(t, h.inst.Night(1)) // begins the log
	srv.calm()
	log := h.inst.Database() + "-wal"
	first := restarts(t, log)
	c := h.holdfast("--progress", "plain", "backup")
	c.Args = append(c.Args[:1], c.Args[2:]...) // without --json, for the stages
	stages := follow(t, c)
	p.rate.Store(int64(times(16, 1)) << 20)
	c.start()
	var longest int64
	for stages.Scan() {
		if strings.HasPrefix(stages.Text(), "database") || strings.HasPrefix(stages.Text(), "drain") {
			longest = max(longest, fileSize(t, log))
		}
		t.Log(stages.Text(), fileSize(t, log))
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
		ok(t, err)
	}
	if passes < 2 {
		t.Errorf("%d passes: this shows nothing\n%s", passes, &c.stdout)
	}
	// SQLite starts its log anew only when no reader holds on to what is in it.
	if last-first < uint32(passes-1) {
		t.Errorf("the log started anew %d times in %d passes: a transaction went on while the spool drained", last-first, passes)
	}
	t.Logf("%d MiB in %d passes and %v; the log was %d KiB at most, and started anew %d times; %.0f transactions a second",
		database>>20, passes, c.took, longest>>10, last-first, srv.rate())

	restored := filepath.Join(h.restore("latest"), "sqlite.db")
	sound(t, restored)
	ok(t, sample.CheckInvariant(restored))
	if got, want := query(t, restored, checksum), query(t, h.inst.Database(), checksum); got != want {
		t.Errorf("ballast: %s, want %s", got, want)
	}
}

// ballast puts so many MiB of random bytes into the database, and several times
// as many zeros.
func ballast(t *testing.T, s *sample.Instance, mebibytes, zeros int) {
	t.Helper()
	db, err := sql.Open("sqlite", s.Database())
	ok(t, err)
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE ballast (id INTEGER PRIMARY KEY, bytes BLOB)`)
	ok(t, err)
	_, err = db.Exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i+1 FROM n WHERE i < %d)
		INSERT INTO ballast SELECT i, CAST(randomblob(16384) || zeroblob(%d) AS BLOB) FROM n`, mebibytes*64, zeros*16384))
	ok(t, err)
	ok(t, db.Close())
}

const checksum = `SELECT count(*) || ' ' || sum(id * unicode(hex(substr(bytes, 1, 4)))) || ' ' || sum(length(bytes)) FROM ballast`

// restarts is a number that grows by one whenever SQLite starts the log anew:
// the first salt in its header.
func restarts(t *testing.T, log string) uint32 {
	t.Helper()
	f, err := os.Open(log)
	ok(t, err)
	defer f.Close()
	header := make([]byte, 20)
	_, err = io.ReadFull(f, header)
	ok(t, err)
	return binary.BigEndian.Uint32(header[16:])
}

// follow gives the lines that a run prints to standard error, as they come.
func follow(t *testing.T, c *command) *bufio.Scanner {
	t.Helper()
	c.Stderr = nil
	r, err := c.StderrPipe()
	ok(t, err)
	return bufio.NewScanner(r)
}

func TestSecondRunNamesTheFirst(t *testing.T) {
	t.Parallel()
	at, p := minioPlace(t)
	h := newHost(t, at, sample.Config{})
	reached := p.holdAfter(http.MethodPut, 0)
	first := h.holdfast("backup").start()
	first.until(reached)
	second := h.holdfast("backup").start()
	defer time.AfterFunc(time.Minute, func() { second.Process.Kill() }).Stop() // it would wait for the first
	second.expect(11)
	if want := fmt.Sprintf("held by holdfast backup, process %d", first.Process.Pid); !strings.Contains(second.summary.Error, want) {
		t.Errorf("it says %q, want %q", second.summary.Error, want)
	}
	// Reading needs no turn.
	h.holdfast("list").start().expect(0)
	p.release()
	first.expect(0)
	h.backup()
}
