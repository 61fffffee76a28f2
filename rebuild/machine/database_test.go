package machine

import (
	"os"
	"path/filepath"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// A database in WAL mode without its log lacks what was committed last.
func TestDatabaseThatIsRenamedAsideKeepsItsLog(t *testing.T) {
	dir := small(t)
	path := filepath.Join(dir, "sqlite.db")
	db := testkit.OpenSQLite(t, path, "")
	defer db.Close()
	for _, statement := range []string{"PRAGMA wal_autocheckpoint = 0", "CREATE TABLE precious (n)",
		"INSERT INTO precious VALUES (7)"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	c, err := gotosocial.Load(dir+"/config.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &Machine{Config: c, Facts: manifest.Facts{Engine: gotosocial.SQLite}, Folder: t.TempDir(),
		Replace: true, Verbatim: true}
	if err := os.WriteFile(filepath.Join(r.Folder, "sqlite.db"), []byte("restored"), 0o600); err != nil {
		t.Fatal(err)
	}
	notes, err := r.PutDatabase(t.Context())
	if err != nil || len(notes) != 2 {
		t.Fatal(notes, err)
	}
	if n := testkit.Query[int](t, testkit.OpenSQLite(t, path+".before-restore", ""), "SELECT n FROM precious"); n != 7 {
		t.Errorf("read %d", n)
	}
	if left, err := filepath.Glob(path + "-*"); err != nil || len(left) != 0 {
		t.Errorf("beside the restored database: %v, %v", left, err)
	}
}
