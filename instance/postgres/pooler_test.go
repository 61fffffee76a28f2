package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// openThrough opens the database of more lines of configuration. server is "" or
// instance.postgres.
func openThrough(t *testing.T, settings, server string) *postgres.Database {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Write(t, config, "host: "+domain+"\ndb-type: postgres\n"+settings)
	c, err := gotosocial.Server{File: config, Postgres: server, Root: t.TempDir()}.Config()
	testkit.OK(t, err)
	db, err := postgres.Open(c)
	testkit.OK(t, err)
	return db
}

// readWhole reads every file of a view of the database.
func readWhole(t *testing.T, db *postgres.Database) error {
	t.Helper()
	v, err := db.Begin(t.Context(), domain)
	if err != nil {
		return err
	}
	defer v.Close()
	if all := postgrestest.ReadAll(t, v); !strings.Contains(all["pre-data.sql"], "accounts") {
		t.Errorf("the schema is %q", all["pre-data.sql"])
	}
	return nil
}

// watchSettings queries through the pooler as a live server does, until ctx is done,
// and counts the queries whose search_path is empty.
func watchSettings(ctx context.Context, url string) (spoilt int, err error) {
	conn, err := pgx.Connect(context.WithoutCancel(ctx), url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for ctx.Err() == nil {
		var path, security string
		err := conn.QueryRow(context.WithoutCancel(ctx),
			"SELECT current_setting('search_path'), current_setting('row_security')").Scan(&path, &security)
		if err != nil {
			return spoilt, err
		}
		if path == "" || security == "off" {
			spoilt++
		}
	}
	return spoilt, nil
}

func TestPoolerInTransactionModeIsRefusedAndNotSpoilt(t *testing.T) {
	s := postgrestest.Start(t)
	live(t, s)
	for _, mode := range []string{"transaction", "statement"} {
		port := s.StartPooler(t, mode)
		for _, clients := range []int{0, 3} {
			ctx, stop := context.WithCancel(t.Context())
			var g errgroup.Group
			for range clients {
				g.Go(func() error {
					n, err := watchSettings(ctx, s.URLThrough(port, postgrestest.Owner, "gotosocial"))
					if n > 0 {
						t.Errorf("%s: %d queries of the live server had Holdfast's settings", mode, n)
					}
					return err
				})
			}
			for range 3 {
				err := readWhole(t, openThrough(t, s.Through(port, "gotosocial"), ""))
				var p *remedy.Error
				if !errors.As(err, &p) || p.Kind != remedy.Refused || !strings.Contains(p.Fix, "instance.postgres") {
					t.Errorf("%s, %d clients: %v", mode, clients, err)
				}
			}
			stop()
			testkit.OK(t, g.Wait())
		}
	}
}

func TestPoolerInSessionModeIsRead(t *testing.T) {
	s := postgrestest.Start(t)
	live(t, s)
	port := s.StartPooler(t, "session")
	if err := readWhole(t, openThrough(t, s.Through(port, "gotosocial"), "")); err != nil {
		t.Error(err)
	}
}

func TestOwnAddressOfPostgresPassesByThePooler(t *testing.T) {
	s := postgrestest.Start(t)
	live(t, s)
	port := s.StartPooler(t, "transaction")
	server := fmt.Sprintf("127.0.0.1:%d", s.Port)
	through := fmt.Sprintf("db-postgres-connection-string: %q\n", s.URLThrough(port, postgrestest.Owner, "gotosocial"))
	for name, settings := range map[string]string{"settings": s.Through(port, "gotosocial"), "string": through} {
		if err := readWhole(t, openThrough(t, settings, server)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
