package postgres_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// impatient opens the database with a setting lock_wait.
func impatient(t *testing.T, s *postgrestest.Server, wait time.Duration) *postgres.Database {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Write(t, config, "host: "+domain+"\ndb-type: postgres\n"+s.Settings("gotosocial"))
	c, err := gotosocial.Server{File: config, LockWait: wait, Root: t.TempDir()}.Config()
	testkit.OK(t, err)
	db, err := postgres.Open(c)
	testkit.OK(t, err)
	return db
}

func TestBackupWaitsForALockAsLongAsTheSettingSays(t *testing.T) {
	s := postgrestest.Start(t)
	live(t, s)
	other := s.Connect(t, postgrestest.Owner, "gotosocial")
	const lock = "BEGIN; LOCK TABLE statuses IN ACCESS EXCLUSIVE MODE"
	_, err := other.Exec(t.Context(), lock, pgx.QueryExecModeSimpleProtocol)
	testkit.OK(t, err)
	_, err = impatient(t, s, 300*time.Millisecond).Begin(t.Context(), domain)
	if !remedy.Is(err, remedy.Busy) || !strings.Contains(err.Error(), "for 300ms, process") {
		t.Errorf("%v", err)
	}
}
