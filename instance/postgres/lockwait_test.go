package postgres_test

import (
	"bytes"
	"fmt"
	"log/slog"
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

func TestLockOfAnotherSessionIsNamed(t *testing.T) {
	s := postgrestest.Start(t)
	live(t, s)
	other := s.Connect(t, postgrestest.Owner, "gotosocial")
	const lock = "BEGIN; LOCK TABLE statuses IN ACCESS EXCLUSIVE MODE"
	_, err := other.Exec(t.Context(), lock, pgx.QueryExecModeSimpleProtocol)
	testkit.OK(t, err)

	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	_, err = impatient(t, s, 300*time.Millisecond).Begin(t.Context(), domain)
	pid := fmt.Sprint(other.PgConn().PID())
	if !remedy.Is(err, remedy.Busy) {
		t.Fatalf("%v", err)
	}
	for _, text := range []string{err.Error(), log.String()} {
		for _, want := range []string{"statuses", pid, "LOCK TABLE statuses"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q lacks %q", text, want)
			}
		}
	}
}

func TestLockThatEndsInTimeDelaysTheBackup(t *testing.T) {
	s := postgrestest.Start(t)
	live(t, s)
	other := s.Connect(t, postgrestest.Owner, "gotosocial")
	const lock = "BEGIN; LOCK TABLE statuses IN ACCESS EXCLUSIVE MODE"
	_, err := other.Exec(t.Context(), lock, pgx.QueryExecModeSimpleProtocol)
	testkit.OK(t, err)
	watch := s.Connect(t, postgrestest.Owner, "gotosocial")
	released := make(chan error, 1)
	go func() {
		for waiting := false; !waiting; {
			const query = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'statuses'::regclass AND NOT granted)"
			if err := watch.QueryRow(t.Context(), query).Scan(&waiting); err != nil {
				released <- err
				return
			}
		}
		_, err := other.Exec(t.Context(), "COMMIT")
		released <- err
	}()
	v, err := impatient(t, s, time.Minute).Begin(t.Context(), domain)
	testkit.OK(t, err)
	testkit.OK(t, <-released)
	testkit.OK(t, v.Close())
}
