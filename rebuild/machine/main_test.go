package machine

import (
	"os"
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

// openRoot opens a folder for the length of the test.
func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	testkit.OK(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}
