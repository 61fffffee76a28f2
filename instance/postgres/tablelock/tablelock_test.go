package tablelock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"holdfast/instance/postgres/tablelock"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// database returns a server with the table statuses.
func database(t *testing.T, settings ...string) *postgrestest.Server {
	t.Helper()
	s := postgrestest.Start(t, settings...)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "CREATE TABLE statuses (content text)")
	return s
}

// connector returns a function that opens connections.
func connector(s *postgrestest.Server) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.Connect(ctx, s.URL(postgrestest.Owner, "gotosocial"))
	}
}

// begin opens a transaction and runs statements in it.
func begin(t *testing.T, s *postgrestest.Server, statements string) *pgx.Conn {
	t.Helper()
	conn := s.Connect(t, postgrestest.Owner, "gotosocial")
	_, err := conn.Exec(t.Context(), "BEGIN;"+statements, pgx.QueryExecModeSimpleProtocol)
	testkit.OK(t, err)
	return conn
}

const (
	lock      = "LOCK TABLE statuses IN ACCESS EXCLUSIVE MODE"
	isAwaited = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'statuses'::regclass AND NOT granted)"
)

func TestHolderOfALockIsNamedWithoutTheValuesOfItsQuery(t *testing.T) {
	s := database(t)
	other := begin(t, s, lock+"; INSERT INTO statuses SELECT 'a private post'")
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	err := tablelock.Take(t.Context(), begin(t, s, ""),
		tablelock.Wait{Limit: 300 * time.Millisecond, Database: "the database", Connect: connector(s)})
	if !remedy.Is(err, remedy.Busy) {
		t.Fatalf("%v", err)
	}
	pid := fmt.Sprintf("process %d", other.PgConn().PID())
	for _, text := range []string{err.Error(), log.String()} {
		for _, want := range []string{"statuses", pid, "LOCK TABLE statuses", "INSERT INTO statuses SELECT …"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q lacks %q", text, want)
			}
		}
		if strings.Contains(text, "private") {
			t.Errorf("the text shows a value: %s", text)
		}
	}
}

// A prepared transaction keeps its locks without a process: no advice may end process 0.
func TestPreparedTransactionWithALockIsNamed(t *testing.T) {
	s := database(t, "max_prepared_transactions=2")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "BEGIN; "+lock+"; PREPARE TRANSACTION 'left behind'")
	err := tablelock.Take(t.Context(), begin(t, s, ""),
		tablelock.Wait{Limit: 100 * time.Millisecond, Database: "the database", Connect: connector(s)})
	var said *remedy.Error
	if !remedy.Is(err, remedy.Busy) || !errors.As(err, &said) {
		t.Fatalf("%v", err)
	}
	if !strings.Contains(said.Fix, "ROLLBACK PREPARED 'left behind'") || strings.Contains(said.Fix, "backend") ||
		!strings.Contains(said.What, "a prepared transaction kept table statuses locked") {
		t.Errorf("%s; fix: %s", said.What, said.Fix)
	}
}

// The other session ends at the worst moment: the limit is over, and nobody has asked yet who
// holds the table.
func TestLockThatBecomesFreeAtTheLimitIsTaken(t *testing.T) {
	s := database(t)
	other, conn, watch := begin(t, s, lock), begin(t, s, ""), s.Connect(t, postgrestest.Owner, "gotosocial")
	questions := 0
	connect := func(ctx context.Context) (*pgx.Conn, error) {
		if questions++; questions == 2 {
			_, err := other.Exec(ctx, "COMMIT")
			for granted := false; err == nil && !granted; {
				const query = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'statuses'::regclass AND granted)"
				err = watch.QueryRow(ctx, query).Scan(&granted)
			}
			if err != nil {
				return nil, err
			}
		}
		return connector(s)(ctx)
	}
	err := tablelock.Take(t.Context(), conn,
		tablelock.Wait{Limit: 100 * time.Millisecond, Database: "the database", Connect: connect})
	if err != nil || questions != 2 {
		t.Errorf("%d questions, %v", questions, err)
	}
}

// A migration waits for a session that hangs, and the backup waits behind the migration. The advice
// must not end the migration.
func TestSessionAtTheEndOfTheQueueIsNamed(t *testing.T) {
	s := database(t)
	hung, migration := begin(t, s, "SELECT FROM statuses"), begin(t, s, "")
	watch := s.Connect(t, postgrestest.Owner, "gotosocial")
	ctx, stop := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error {
		_, err := migration.Exec(ctx, lock)
		return err
	})
	for waiting := false; !waiting; {
		testkit.OK(t, watch.QueryRow(t.Context(), isAwaited).Scan(&waiting))
	}
	err := tablelock.Take(t.Context(), begin(t, s, ""),
		tablelock.Wait{Limit: 100 * time.Millisecond, Database: "the database", Connect: connector(s)})
	want := fmt.Sprintf("process %d kept table statuses locked", hung.PgConn().PID())
	if !remedy.Is(err, remedy.Busy) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	stop()
	if err := g.Wait(); err == nil {
		t.Error("the migration has the lock")
	}
}

func TestLockThatEndsInTimeDelaysTheBackup(t *testing.T) {
	s := database(t)
	other, watch := begin(t, s, lock), s.Connect(t, postgrestest.Owner, "gotosocial")
	released := make(chan error, 1)
	go func() {
		for waiting := false; !waiting; {
			if err := watch.QueryRow(t.Context(), isAwaited).Scan(&waiting); err != nil {
				released <- err
				return
			}
		}
		_, err := other.Exec(t.Context(), "COMMIT")
		released <- err
	}()
	testkit.OK(t, tablelock.Take(t.Context(), begin(t, s, ""),
		tablelock.Wait{Limit: time.Minute, Database: "the database", Connect: connector(s)}))
	testkit.OK(t, <-released)
}
