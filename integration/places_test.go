package integration_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// A server started in another folder would find no database, and make an empty one.
func TestRelativePathsStartWhereTheServerWillStart(t *testing.T) {
	t.Parallel()
	h, want := newSavedHost(t, sample.Config{Accounts: 5, Statuses: 50, Media: 2})
	relative := strings.ReplaceAll(string(testkit.Read(t, h.config)), h.inst.Dir+"/", "")
	restore := func(config string) *machine {
		m := newMachine(t, h)
		m.write("/root/new.yaml", config)
		m.restore("--gotosocial", "/root/new.yaml", "--yes", h.inst.Domain(), "--verbatim").start().expect(0)
		if _, err := os.Stat(filepath.Join(m.root, "root/sqlite.db")); err == nil {
			t.Error("a database lies beside the given file")
		}
		return m
	}
	restore(relative).compare(h, want)

	// A unit of the snapshot has another working directory.
	unit := filepath.Join(h.dir, "etc/unit/gotosocial.service")
	testkit.Write(t, unit, "[Service]\nUser=nobody\nWorkingDirectory=/srv/social\n"+
		"ExecStart=/opt/gotosocial --config-path "+h.config+" server start\n")
	extra := "  extra: [" + filepath.Join(h.dir, "etc") + "]\nremotes:"
	testkit.Write(t, h.yaml(), strings.Replace(string(testkit.Read(t, h.yaml())), "remotes:", extra, 1))
	h.backup()
	m := restore(relative)
	if got := testkit.Sum(t, filepath.Join(m.root, "srv/social/sqlite.db")); got != want.database {
		t.Error("the database is not in the unit's working directory")
	}
	m.belongToNobody("/srv/social", "/srv/social/sqlite.db", "/srv/social/storage")
}

func TestRelativePathWithoutAKnownServerIsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t, folderRemote(t), sample.Config{Accounts: 5, Statuses: 50, Media: 2})
	testkit.GiveTree(t, h.inst.Dir, testkit.Nobody, testkit.Nobody)
	// The settings come from Holdfast's own environment, and no snapshot has them.
	h.env = append(h.env, "GTS_HOST="+h.inst.Domain(), "GTS_DB_TYPE=sqlite", "GTS_DB_ADDRESS="+h.inst.Database(),
		"GTS_STORAGE_LOCAL_BASE_PATH="+h.inst.Storage())
	text := string(testkit.Read(t, h.yaml()))
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "gotosocial:") {
			kept = append(kept, line)
		}
	}
	testkit.Write(t, h.yaml(), strings.Join(kept, ""))
	testkit.OK(t, os.Chmod(h.yaml(), 0o600))
	h.backup()
	m := newMachine(t, h)
	config := "host: " + h.inst.Domain() + "\ndb-type: sqlite\ndb-address: /srv/sqlite.db\n"
	m.write("/root/new.yaml", config+"storage-local-base-path: ./storage\n")
	to := []string{"--gotosocial", "/root/new.yaml", "--yes", h.inst.Domain(), "--verbatim"}
	m.restore(to...).start().expect(20).says("storage-local-base-path in /root/new.yaml is relative",
		"write an absolute path in /root/new.yaml")
	m.write("/root/new.yaml", config+"storage-local-base-path: /srv/storage\n")
	m.restore(to...).start().expect(0)
}

// Other servers know each account by the account domain.
func TestConfigurationWithAnotherAccountDomainIsRefused(t *testing.T) {
	t.Parallel()
	h, _ := newSavedHost(t, sample.Config{Accounts: 3, Statuses: 20, Media: 1})
	text := string(testkit.Read(t, h.config))
	to := []string{"--gotosocial", "/root/new.yaml", "--yes", h.inst.Domain(), "--verbatim"}
	for _, line := range []string{"", "account-domain: " + h.inst.Domain() + "\n"} {
		m := newMachine(t, h)
		config := accountDomain.ReplaceAllString(text, line)
		if config == text {
			t.Fatalf("the configuration sets no account domain:\n%s", text)
		}
		m.write("/root/new.yaml", config)
		m.restore(to...).start().expect(20).says("the accounts of the snapshot are of",
			"write account-domain: \""+h.inst.Config.AccountDomain+"\"")
	}
	m := newMachine(t, h)
	m.write("/root/new.yaml", strings.Replace(text, h.inst.Config.AccountDomain, strings.ToUpper(
		h.inst.Config.AccountDomain), 1))
	m.restore(to...).start().expect(0)
}

var accountDomain = regexp.MustCompile(`(?m)^account-domain: .*\n`)
