package instance_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/remedy"
)

// A table that only pg_dump, or the last COPY of the night, would stumble over is
// found before anything is read.
func TestUnreadableTableIsFoundAtOnce(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewInstance(t, "gotosocial")
	s.Exec(t, "postgres", fmt.Sprintf("CREATE ROLE reader LOGIN PASSWORD '%s'", s.Password))
	dir := postgrestest.WriteInstance(t, strings.Replace(s.Settings("gotosocial"), "db-user: gotosocial",
		"db-user: reader", 1))
	const all = "GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; " +
		"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader;"
	for _, c := range []struct{ do, what, fix string }{
		{"REVOKE ALL ON SCHEMA public FROM PUBLIC", "may not read schema public",
			"GRANT pg_read_all_data TO \"reader\""},
		{all + "REVOKE SELECT ON no_key, \"Odd.Näme/%\" FROM reader",
			`may not read table public."Odd.Näme/%", table public.no_key: permission denied`, "GoToSocial's own"},
		{all + "REVOKE SELECT ON SEQUENCE unused FROM reader", "may not read sequence public.unused",
			"GRANT pg_read_all_data"},
		{all + "CREATE TABLE parted (a int) PARTITION BY LIST (a)", "may not read table public.parted",
			"GRANT pg_read_all_data"},
		{all + "CREATE SCHEMA other CREATE TABLE x (a int)", "may not read schema other", "GRANT pg_read_all_data"},
		{"DROP SCHEMA other CASCADE; ALTER TABLE no_key ENABLE ROW LEVEL SECURITY",
			"may not read every row of table public.no_key: row level security", "BYPASSRLS"},
		{"DO $$ BEGIN FOR n IN 1..9 LOOP EXECUTE 'CREATE TABLE many' || n || ' ()'; END LOOP; END $$",
			"table public.many5 and 4 more", "GRANT pg_read_all_data"},
		// What an extension brings is not read.
		{"" + all + "ALTER ROLE reader BYPASSRLS; CREATE EXTENSION pg_stat_statements", "", ""},
		{"REVOKE ALL ON SCHEMA public FROM reader; REVOKE ALL ON ALL TABLES IN SCHEMA public FROM reader; REVOKE " +
			"ALL ON ALL SEQUENCES IN SCHEMA public FROM reader; GRANT pg_read_all_data TO reader", "", ""},
	} {
		if c.what == "" && strings.Contains(c.do, "pg_read_all_data") && !s.Has(t, "pg_read_all_data") {
			continue // PostgreSQL 13
		}
		s.Exec(t, "gotosocial", c.do)
		i := instancetest.Open(t, dir, instance.Options{})
		v, err := i.Begin(t.Context())
		if c.what == "" {
			if err != nil {
				t.Errorf("after %s: %v", c.do, err)
				continue
			}
			postgrestest.ReadAll(t, v)
			v.Close()
			continue
		}
		var p *remedy.Error
		if !errors.As(err, &p) || !strings.Contains(err.Error(), c.what) || !strings.Contains(p.Fix, c.fix) {
			t.Errorf("after %s: %v\nfix: %+v", c.do, err, p)
		}
		if err == nil {
			v.Close()
		}
	}
}

// A sequence without a use differs from a sequence that stands before its first use.
func TestSequencesKeepTheirValues(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "CREATE SEQUENCE waiting; SELECT setval('waiting', 7, false)")
	v := instancetest.Begin(t, instancetest.Open(t, dir, instance.Options{}))
	text, err := postgrestest.ReadFile(t.Context(), v, "sequences.sql")
	want := "SELECT pg_catalog.setval('public.bun_migrations_id_seq', 2, 't');\nSELECT " +
		"pg_catalog.setval('public.unused', 1, 'f');\nSELECT pg_catalog.setval('public.waiting', 7, 'f');\n"
	if err != nil || text != want {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
}

func TestEncodingOfTheRoleHasNoEffect(t *testing.T) {
	s := postgrestest.Start(t)
	i := instancetest.Open(t, s.NewInstance(t, "gotosocial"), instance.Options{})
	want := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "ALTER ROLE CURRENT_USER SET client_encoding = 'latin1'; COMMENT "+
		"ON TABLE accounts IS 'людí'")
	got := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	schema := func(folder, name string) string {
		text, err := os.ReadFile(filepath.Join(folder, "database", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if !strings.Contains(schema(got, "pre-data.sql"), "людí") {
		t.Error("the comment is not as it was made")
	}
	if rows := "public.statuses.copy"; schema(got, rows) != schema(want, rows) {
		t.Error("rows differ")
	}
}
