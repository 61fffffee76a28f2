package gotosocial_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
)

// The files are those that SQLite opens for "file:ADDRESS?mode=ro".
func TestDatabaseIsTheFileThatSQLiteOpens(t *testing.T) {
	for address, want := range map[string]string{
		"sqlite.db":                "/srv/gts/sqlite.db",
		"my db.db":                 "/srv/gts/my db.db",
		"a%20b.db":                 "/srv/gts/a b.db",
		"a#b.db":                   "/srv/gts/a",
		"a%23b.db":                 "/srv/gts/a#b.db",
		"a%3fb.db?mode=rwc":        "/srv/gts/a?b.db",
		"100%.db":                  "/srv/gts/100%.db",
		"100%zz.db":                "/srv/gts/100%zz.db",
		"a.db%2":                   "/srv/gts/a.db%2",
		"a%00b.db":                 "/srv/gts/a",
		"file:/data/a.db":          "/data/a.db",
		"file:///data/a.db":        "/data/a.db",
		"//localhost/data/a.db":    "/data/a.db",
		"/data/%C3%A9.db":          "/data/é.db",
		"file:%2Fdata%2fa.db?x=#y": "/data/a.db",
	} {
		if got := withAddress(t, address).Database(); got != want {
			t.Errorf("db-address %q is %q, want %q", address, got, want)
		}
	}
}

func withAddress(t *testing.T, address string) *gotosocial.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Write(t, file, "host: example.org\ndb-type: sqlite\ndb-address: '"+address+"'\n")
	c, err := gotosocial.Server{File: file, WorkingDir: "/srv/gts", Root: t.TempDir()}.Config()
	testkit.OK(t, err)
	return c
}

func TestAddressOfAFileLeadsToTheFile(t *testing.T) {
	for _, file := range []string{"/srv/a b.db", "/srv/a%20b.db", "/srv/a#b.db", "/srv/a?b.db", "/srv/100%/é.db"} {
		if got := withAddress(t, gotosocial.SQLiteAddress(file)).Database(); got != file {
			t.Errorf("the address of %q leads to %q", file, got)
		}
	}
}

func TestAddressWithoutAFileIsRefusedWithoutItsText(t *testing.T) {
	for _, address := range []string{"", ":memory:", "file::memory:", "//server/share/a.db", "#a",
		"postgres://gts:hunter2@localhost/gts"} {
		err := withAddress(t, address).Check()
		if err == nil || !strings.Contains(err.Error(), "db-address names no file") ||
			strings.Contains(fmt.Sprintf("%+v", err), "hunter2") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
