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

// A search path is that of a user: tables of an older instance would take the place of
// GoToSocial's.
func TestOwnUserReadsTheTablesOfGoToSocialsUser(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewInstance(t, "gotosocial")
	s.Exec(t, "postgres", fmt.Sprintf("CREATE ROLE reader SUPERUSER LOGIN PASSWORD '%s'", s.Password))
	db := func() *postgres.Database { return openAs(t, s.Settings("gotosocial"), s.Password) }
	for _, change := range []string{
		"CREATE SCHEMA %[1]s; CREATE TABLE %[1]s.accounts (); CREATE SCHEMA other",
		"DROP SCHEMA %[1]s CASCADE; ALTER ROLE %[1]s SET search_path = other, public",
	} {
		s.Exec(t, "gotosocial", fmt.Sprintf(change, postgrestest.Owner))
		var p *remedy.Error
		if err := readWhole(t, db()); !errors.As(err, &p) || !strings.Contains(err.Error(), "other tables") {
			t.Fatalf("after %s: %v", change, err)
		}
		_, statement, _ := strings.Cut(p.Fix, ": ")
		s.Exec(t, "gotosocial", statement)
		if err := readWhole(t, db()); err != nil && strings.Contains(err.Error(), "other tables") {
			t.Errorf("after %s: %v", statement, err)
		}
	}
}
