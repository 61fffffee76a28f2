package machine

import (
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"holdfast/internal/testkit"
)

// small makes a configuration and a database without a table, in a new folder.
func small(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	testkit.Write(t, filepath.Join(dir, "config.yaml"), "host: social.example.org\naccount-domain: example.org\n"+
		"db-type: sqlite\ndb-address: sqlite.db\nstorage-local-base-path: storage\n")
	db := testkit.OpenSQLite(t, filepath.Join(dir, "sqlite.db"), "")
	_, err := db.Exec("PRAGMA journal_mode=WAL")
	testkit.OK(t, err)
	testkit.OK(t, db.Close())
	return dir
}
