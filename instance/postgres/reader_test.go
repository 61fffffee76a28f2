package postgres_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// openAs opens the database of GoToSocial's settings as the user "reader".
func openAs(t *testing.T, settings, password string) *postgres.Database {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Write(t, config, "host: "+domain+"\ndb-type: postgres\n"+settings)
	c, err := gotosocial.Server{File: config, Root: t.TempDir()}.Config()
	testkit.OK(t, err)
	c.PostgresUser, c.PostgresPassword = "reader", password
	db, err := postgres.Open(c)
	testkit.OK(t, err)
	return db
}

func TestOwnUserReadsInPlaceOfGoToSocials(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewInstance(t, "gotosocial")
	if !s.Has(t, "pg_read_all_data") {
		t.Skip("PostgreSQL 13 has no pg_read_all_data")
	}
	s.Exec(t, "postgres", "CREATE ROLE reader LOGIN PASSWORD 'of reader'; GRANT pg_read_all_data TO reader")
	// GoToSocial's own password is wrong here: the reader must not need the password.
	settings := strings.Replace(s.Settings("gotosocial"), s.Password, "wrong", 1)
	testkit.OK(t, readWhole(t, openAs(t, settings, "of reader")))
	url := fmt.Sprintf("db-postgres-connection-string: postgres://%s:wrong@127.0.0.1:%d/gotosocial?sslmode=disable\n",
		postgrestest.Owner, s.Port)
	testkit.OK(t, readWhole(t, openAs(t, url, "of reader")))
}

func TestRefusedOwnUserNamesItsSettings(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewInstance(t, "gotosocial")
	// The password is the same as GoToSocial's, and no setting gives the password to the reader.
	s.Exec(t, "postgres", fmt.Sprintf("CREATE ROLE reader LOGIN PASSWORD '%s'", s.Password))
	for _, password := range []string{"", "wrong"} {
		err := readWhole(t, openAs(t, s.Settings("gotosocial"), password))
		var p *remedy.Error
		if !errors.As(err, &p) || !strings.Contains(err.Error(), `refused user "reader"`) ||
			!strings.Contains(p.Fix, "instance.postgres_user and instance.postgres_password") {
			t.Errorf("password %q: %v\nfix: %+v", password, err, p)
		}
	}
}
