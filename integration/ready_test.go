package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// The folder in which an admin unpacked GoToSocial belongs to root. The server makes
// the files of SQLite's log there.
func TestRestoredServerCanWriteBesideItsDatabase(t *testing.T) {
	t.Parallel()
	h, _ := newSavedHost(t, sample.Config{Accounts: 3, Statuses: 20, Media: 2})
	to := []string{"--yes", h.inst.Domain(), "--verbatim"}

	m := newMachine(t, h)
	m.write(filepath.Join(h.inst.Dir, "gotosocial"), "the program")
	m.letIn(h.inst.Dir)
	done := m.restore(to...).start().expect(0).stdout.String()
	if !strings.Contains(done, "gives the folder "+h.inst.Dir+" to nobody:nogroup") {
		t.Errorf("the plan does not name the folder:\n%s", done)
	}
	m.belongToNobody(h.inst.Dir, h.inst.Storage(), h.inst.Database())

	// Another program has files in the folder.
	other := newMachine(t, h)
	other.write(filepath.Join(h.inst.Dir, "mastodon.db"), "precious")
	other.letIn(h.inst.Dir)
	refused := other.restore(to...).start().expect(20)
	refused.says("also holds mastodon.db", "chown nobody:nogroup "+h.inst.Dir)
	testkit.OK(t, os.Chown(filepath.Join(other.root, h.inst.Dir), testkit.Nobody, testkit.Nobody))
	other.restore(append(to, "--work", "/root")...).start().expect(0)
}

// Posts would go to the old database, and then to the new one. The fresh machine has no
// /proc: like a process of another container, the server shows by its locks.
func TestRunningServerIsNoticed(t *testing.T) {
	t.Parallel()
	h, want := newSavedHost(t, sample.Config{Accounts: 3, Statuses: 20, Media: 2})
	to := []string{"--yes", h.inst.Domain(), "--verbatim", "--replace"}
	m := newMachine(t, h)
	path := filepath.Join(m.root, h.inst.Database())
	testkit.OK(t, os.MkdirAll(filepath.Dir(path), 0o755))
	db := testkit.OpenSQLite(t, path, "")
	_, err := db.Exec(testkit.SQLiteTables)
	testkit.OK(t, err)
	testkit.OK(t, db.Close())
	testkit.GiveTree(t, filepath.Dir(path), testkit.Nobody, testkit.Nobody)
	m.letIn(h.inst.Dir)
	writer := testkit.StartSQLiteWriter(t, testkit.Role("writer", path))
	writer.Commits()
	pid := fmt.Sprint(writer.Process.Process.Pid)
	m.restore(to...).start().expect(20).says("process "+pid+" has "+h.inst.Database()+" open", "kill "+pid)
	m.restore(append(to, "--plan")...).start().expect(0)
	writer.Kill()
	m.restore(to...).start().expect(0)
	if got := testkit.Sum(t, path); got != want.database {
		t.Error("the database differs")
	}
}

// An admin takes the snapshot's configuration, edits the file, and puts the file where
// the server reads it.
func TestConfigurationThatWasGivenAtItsPlaceStays(t *testing.T) {
	t.Parallel()
	h, want := newSavedHost(t, sample.Config{Accounts: 3, Statuses: 20, Media: 2})
	m := newMachine(t, h)
	edited := string(testkit.Read(t, h.config)) + "\n# edited\n"
	m.write(h.config, edited)
	m.letIn(h.inst.Dir)
	m.restore("--yes", h.inst.Domain(), "--verbatim").start().expect(20).says("config.yaml is there already", "")
	m.restore("--yes", h.inst.Domain(), "--verbatim", "--gotosocial", h.config).start().expect(0)
	if got := string(testkit.Read(t, filepath.Join(m.root, h.config))); got != edited {
		t.Errorf("the configuration is\n%s", got)
	}
	if got := testkit.Sum(t, filepath.Join(m.root, h.config+".from-snapshot")); got != want.config {
		t.Error("the snapshot's configuration differs")
	}
}

// The other parts of an instance stay where they are: an admin with a damaged database
// need not move the media away.
func TestOnePartIsRestoredInPlace(t *testing.T) {
	t.Parallel()
	h, want := newSavedHost(t, sample.Config{Accounts: 3, Statuses: 20, Media: 2})
	m := newMachine(t, h)
	to := []string{"--yes", h.inst.Domain(), "--verbatim", "--replace"}
	m.restore(to...).start().expect(0)
	at := func(path string) string { return filepath.Join(m.root, path) }
	since := filepath.Join(h.inst.Storage(), "since")
	m.write(since, "a picture since the backup")
	m.write(h.config, "edited since the backup")
	m.write(h.inst.Database(), "damaged")
	testkit.OK(t, os.Chown(at(h.config), testkit.Nobody, testkit.Nobody))

	done := m.restore(append(to, "--only", "database")...).start().expect(0).stdout.String()
	if !strings.Contains(done, "looked for 23 of 23, and found all") {
		t.Errorf("the check did not look for the media:\n%s", done)
	}
	if got := testkit.Sum(t, at(h.inst.Database())); got != want.database {
		t.Error("the database differs")
	}
	for path, text := range map[string]string{
		since: "a picture since the backup", h.config: "edited since the backup",
		h.inst.Database() + ".before-restore": "damaged",
	} {
		if got := string(testkit.Read(t, at(path))); got != text {
			t.Errorf("%s is %q", path, got)
		}
	}
	m.restore(append(to, "--only", "media")...).start().expect(20).says("is not empty", "move the contents")
	m.restore(append(to, "--only", "files")...).start().expect(0)
	testkit.OK(t, os.Remove(at(since)))
	m.compare(h, want)
}

// letIn lets all users read a folder and pass its parents.
func (m *machine) letIn(dir string) {
	m.t.Helper()
	for ; dir != "/"; dir = filepath.Dir(dir) {
		testkit.OK(m.t, os.Chmod(filepath.Join(m.root, dir), 0o755))
	}
}
