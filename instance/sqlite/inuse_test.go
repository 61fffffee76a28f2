package sqlite_test

import (
	"path/filepath"
	"testing"

	"holdfast/instance/sqlite"
	"holdfast/internal/testkit"
)

func TestUsersNamesTheProcessThatHasTheDatabaseOpen(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		path := filepath.Join(used(t, journal), "sqlite.db")
		if users, err := sqlite.Users(path); err != nil || len(users) != 0 {
			t.Errorf("%s: before: %v, %v", journal, users, err)
		}
		writer := testkit.StartSQLiteWriter(t, testkit.Role("writer", path))
		writer.Commits()
		users, err := sqlite.Users(path)
		if err != nil || len(users) != 1 || users[0].ID != writer.Process.Process.Pid || users[0].Name == "" {
			t.Errorf("%s: %v, %v", journal, users, err)
		}
		writer.Kill()
		if users, err := sqlite.Users(path); err != nil || len(users) != 0 {
			t.Errorf("%s: after: %v, %v", journal, users, err)
		}
	}
}
