package integration_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// What a run reads must be one moment of a server that never rests, and the
// server must not notice.
func TestBusyServerIsBackedUpConsistently(t *testing.T) {
	h := newHost(t, folder(t), sample.Config{Media: 4})
	srv := startServer(t, h.inst)
	statuses := ""
	for range times(3, 10) {
		srv.busy()
		s := h.backup()
		srv.pause()
		restored := filepath.Join(h.restore(s.Snapshot.ID), "sqlite.db")
		sound(t, restored)
		testkit.OK(t, sample.CheckInvariant(restored))
		n := query(t, restored, "SELECT count(*) FROM statuses")
		if n == statuses {
			t.Error("the server wrote nothing meanwhile")
		}
		statuses = n
	}
	t.Logf("%.0f transactions a second beside the backups", srv.rate())
	if full && srv.rate() < 500 {
		t.Error("the promise is for 500")
	}
	srv.stop()
	sound(t, h.inst.Database())
	testkit.OK(t, sample.CheckInvariant(h.inst.Database()))
}

// Database and log are the server's: while it is open, and after it died with
// a log that testkit.Nobody moved into the database. instance has this test for its own
// reading; here it is the program's whole run.
func TestBackupWritesNoByteOfDatabaseAndLog(t *testing.T) {
	h := newHost(t, folder(t), sample.Config{Media: 4})
	srv := startServer(t, h.inst)
	srv.busy()
	h.backup()
	srv.pause()
	unchanged := func(when string) {
		t.Helper()
		before := written(t, h.inst)
		s := h.backup()
		if after := written(t, h.inst); !maps.Equal(before, after) {
			t.Errorf("%s: the backup changed %v to %v", when, before, after)
		}
		restored := h.restore(s.Snapshot.ID)
		testkit.OK(t, sample.CheckInvariant(filepath.Join(restored, "sqlite.db")))
	}
	unchanged("beside the server")
	srv.busy()
	h.backup()
	srv.Kill()
	unchanged("after the server died")
	unchanged("again")
}

// written are database and log: bytes and time of each. Another process has
// the locks: reading takes none away.
func written(t *testing.T, s *sample.Instance) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, suffix := range []string{"", "-wal"} {
		path := s.Database() + suffix
		info, err := os.Stat(path)
		testkit.OK(t, err)
		if info.Size() == 0 {
			t.Fatalf("%s is empty: this shows nothing", path)
		}
		files[suffix] = testkit.Sum(t, path) + " " + info.ModTime().String()
	}
	return files
}

// Whoever reads a stopped server's database as another user would leave files
// that the server can't open. instance has this test for the refusal alone; here
// the program's exit, its words, and the remote are looked at, too.
func TestAnotherUserIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	h := newHost(t, folder(t), sample.Config{Media: 2})
	startServer(t, h.inst).stop() // clears away what the reading by root left
	// All but the database belongs to the other user, who may write anywhere.
	testkit.OK(t, filepath.WalkDir(h.dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != h.inst.Database() {
			err = os.Chown(path, testkit.Nobody, testkit.Nobody)
		}
		return err
	}))
	testkit.OK(t, filepath.WalkDir(h.remote, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Chown(path, testkit.Nobody, testkit.Nobody)
		}
		return err
	}))
	testkit.LetIn(t, h.dir)
	testkit.LetIn(t, h.remote)
	before := testkit.Tree(t, h.inst.Dir)
	stored := testkit.Tree(t, h.remote)

	asNobody := func(args ...string) *command {
		c := h.holdfast(args...)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testkit.Nobody, Gid: testkit.Nobody}}
		return c
	}
	c := asNobody("backup").start().expect(20)
	if !strings.Contains(c.summary.Fix, "sudo -u root") {
		t.Errorf("fix: %s", c.summary.Fix)
	}
	if after := testkit.Tree(t, h.inst.Dir); !maps.Equal(before, after) {
		t.Errorf("left behind: %v, before %v", keys(after), keys(before))
	}
	if after := testkit.Tree(t, h.remote); !maps.Equal(stored, after) {
		t.Errorf("the remote has %v, had %v", keys(after), keys(stored))
	}

	// Beside the server it is safe, and root may always.
	srv := startServer(t, h.inst)
	testkit.OK(t, os.Chmod(h.inst.Database()+"-shm", 0o666))
	testkit.OK(t, os.Chmod(h.inst.Database()+"-wal", 0o644))
	asNobody("backup").start().expect(0)
	srv.stop()
	h.backup()
}

func TestOneRunByRootDoesNotKeepTheUserOut(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	h := newHost(t, folder(t), sample.Config{Media: 2})
	for _, dir := range []string{h.dir, h.remote} {
		testkit.OK(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err == nil {
				err = os.Lchown(path, testkit.Nobody, testkit.Nobody)
			}
			return err
		}))
		testkit.LetIn(t, dir)
	}
	h.backup()
	for _, dir := range []string{h.state(), h.remote} {
		testkit.OK(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err == nil && info.Sys().(*syscall.Stat_t).Uid != testkit.Nobody {
				t.Errorf("%s belongs to root", path)
			}
			return err
		}))
	}
	for _, verb := range []string{"backup", "list", "verify"} {
		c := h.holdfast(verb)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testkit.Nobody, Gid: testkit.Nobody}}
		c.start().expect(0)
	}
}
