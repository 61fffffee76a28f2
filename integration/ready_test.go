package integration_test

import (
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
	h := newHost(t, folderRemote(t), sample.Config{Accounts: 3, Statuses: 20, Media: 2})
	testkit.GiveTree(t, h.inst.Dir, testkit.Nobody, testkit.Nobody)
	h.backup()
	to := []string{"--yes", h.inst.Domain(), "--verbatim"}

	m := newMachine(t, h)
	m.write(filepath.Join(h.inst.Dir, "gotosocial"), "the program")
	m.letIn(h.inst.Dir)
	done := m.restore(to...).start().expect(0).stdout.String()
	if !strings.Contains(done, "gives the folder "+h.inst.Dir+" to nobody:nogroup") {
		t.Errorf("the plan does not name the folder:\n%s", done)
	}
	for _, path := range []string{h.inst.Dir, h.inst.Storage(), h.inst.Database()} {
		if uid, gid := testkit.User(t, filepath.Join(m.root, path)); uid != testkit.Nobody || gid != testkit.Nobody {
			t.Errorf("%s belongs to %d:%d", path, uid, gid)
		}
	}

	// Another program has files in the folder.
	other := newMachine(t, h)
	other.write(filepath.Join(h.inst.Dir, "mastodon.db"), "precious")
	other.letIn(h.inst.Dir)
	refused := other.restore(to...).start().expect(20)
	refused.says("also holds mastodon.db", "chown nobody:nogroup "+h.inst.Dir)
	testkit.OK(t, os.Chown(filepath.Join(other.root, h.inst.Dir), testkit.Nobody, testkit.Nobody))
	other.restore(append(to, "--work", "/root")...).start().expect(0)
}

// letIn lets all users read a folder and pass its parents.
func (m *machine) letIn(dir string) {
	m.t.Helper()
	for ; dir != "/"; dir = filepath.Dir(dir) {
		testkit.OK(m.t, os.Chmod(filepath.Join(m.root, dir), 0o755))
	}
}
