package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remedy"
	"holdfast/vault"
)

const domain = "social.example.org"

// live makes the database gotosocial with the tables of [postgrestest.Schema].
func live(t testing.TB, s *postgrestest.Server) *postgres.Database {
	t.Helper()
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	config := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Write(t, config, fmt.Sprintf("host: %s\ndb-type: postgres\ndb-address: 127.0.0.1\ndb-port: %d\n"+
		"db-user: %s\ndb-password: %s\ndb-database: gotosocial\n", domain, s.Port, postgrestest.Owner, s.Password))
	c, err := gotosocial.Load(config, nil)
	testkit.OK(t, err)
	db, err := postgres.Open(c)
	testkit.OK(t, err)
	return db
}

func begin(t testing.TB, db *postgres.Database) vault.View {
	t.Helper()
	v, err := db.Begin(t.Context(), domain)
	testkit.OK(t, err)
	t.Cleanup(func() { v.Close() })
	return v
}

func TestLostServerIsReported(t *testing.T) {
	s := postgrestest.Start(t)
	db := live(t, s)
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "INSERT INTO no_key SELECT repeat('x', 1000), i FROM "+
		"generate_series(1, 100000) i")
	v := begin(t, db)
	r, err := v.OpenDatabase(t.Context(), "public.no_key.copy")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	_, err = io.Copy(io.Discard, r)
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(err.Error(), "went away") {
		t.Errorf("%v", err)
	}
	if err := v.Close(); err != nil {
		t.Logf("close: %v", err)
	}
}

func TestVanishedTableIsReported(t *testing.T) {
	s := postgrestest.Start(t)
	db := live(t, s)
	// A migration is about to drop a table when the view begins.
	migration := s.Connect(t, postgrestest.Owner, "gotosocial")
	if _, err := migration.Exec(t.Context(), "BEGIN; DROP TABLE no_key", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	begun := make(chan error, 1)
	go func() {
		v, err := db.Begin(t.Context(), domain)
		if err == nil {
			v.Close()
		}
		begun <- err
	}()
	for watch, waiting := s.Connect(t, "postgres", "gotosocial"), false; !waiting; {
		err := watch.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = "+
			"'holdfast' AND wait_event_type = 'Lock')").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := migration.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	var p *remedy.Error
	if err := <-begun; !errors.As(err, &p) || !strings.Contains(err.Error(), "lost a table") ||
		!strings.Contains(p.Fix, "migrations") {
		t.Errorf("%v", err)
	}
}

func TestCancelledCopyEnds(t *testing.T) {
	s := postgrestest.Start(t)
	db := live(t, s)
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "INSERT INTO no_key SELECT repeat('x', 1000), i FROM "+
		"generate_series(1, 100000) i")
	v := begin(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := v.OpenDatabase(ctx, "public.no_key.copy")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestLineBreakInANameIsRefused(t *testing.T) {
	s := postgrestest.Start(t)
	db := live(t, s)
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "CREATE TABLE odd (\"two\nlines\" int)")
	_, err := db.Begin(t.Context(), domain)
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(p.What, `"two\nlines"`) || p.Fix == "" {
		t.Errorf("%v", err)
	}
}
