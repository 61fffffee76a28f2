package integration_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// A backup of a server that never rests holds one moment of the database, and
// does not slow the server down.
func TestBusyServerIsBackedUpConsistently(t *testing.T) {
	h := newHost(t, folderRemote(t), sample.Config{Media: 4})
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
	srv.stop()
	sound(t, h.inst.Database())
	testkit.OK(t, sample.CheckInvariant(h.inst.Database()))
}

// A backup leaves database and log as they are: beside a server, and after a
// server died and left its log. Package instance tests its own reading in the
// same way; here the whole program runs.
func TestBackupWritesNoByteOfDatabaseAndLog(t *testing.T) {
	h := newHost(t, folderRemote(t), sample.Config{Media: 4})
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

// written returns the SHA-256 and the time of database and log. Another process
// holds the locks, so reading here drops no lock.
func written(t *testing.T, s *sample.Instance) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, suffix := range []string{"", "-wal"} {
		path := s.Database() + suffix
		info, err := os.Stat(path)
		testkit.OK(t, err)
		if info.Size() == 0 {
			t.Fatalf("%s is empty: this proves nothing", path)
		}
		files[suffix] = testkit.Sum(t, path) + " " + info.ModTime().String()
	}
	return files
}

// Another user who reads the database of a stopped server would leave files that
// the server can't open. Package instance tests the refusal alone; this test also
// looks at the exit code, the words and the remote.
func TestBackupAsAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	testkit.NeedsRoot(t)
	h := newHost(t, folderRemote(t), sample.Config{Media: 2})
	startServer(t, h.inst).stop() // removes the files that root's reading left
	// All files but the database belong to the other user.
	testkit.GiveTree(t, h.dir, testkit.Nobody, testkit.Nobody)
	testkit.GiveTree(t, h.remote, testkit.Nobody, testkit.Nobody)
	testkit.OK(t, os.Chown(h.inst.Database(), 0, 0))
	testkit.LetIn(t, h.dir)
	testkit.LetIn(t, h.remote)
	before := testkit.Tree(t, h.inst.Dir)
	stored := testkit.Tree(t, h.remote)

	asNobody := func(args ...string) *command {
		c := h.holdfast(args...)
		testkit.AsNobody(c.Cmd)
		return c
	}
	asNobody("backup").start().expect(20).says("", "sudo -u root")
	if after := testkit.Tree(t, h.inst.Dir); !maps.Equal(before, after) {
		t.Errorf("left behind: %v, before %v", keys(after), keys(before))
	}
	if after := testkit.Tree(t, h.remote); !maps.Equal(stored, after) {
		t.Errorf("the remote has %v, had %v", keys(after), keys(stored))
	}

	// Beside the server the backup is safe. Root may always back up, with files of root's.
	srv := startServer(t, h.inst)
	testkit.OK(t, os.Chmod(h.inst.Database()+"-shm", 0o666))
	testkit.OK(t, os.Chmod(h.inst.Database()+"-wal", 0o644))
	asNobody("backup").start().expect(0)
	srv.stop()
	h.holdfast("backup").start().expect(20).says("", "sudo -u root")
	for _, path := range []string{h.dir, h.yaml(), h.state()} {
		testkit.GiveTree(t, path, 0, 0)
	}
	h.backup()
}
