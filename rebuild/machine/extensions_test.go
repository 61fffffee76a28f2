package machine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/rebuild/machine"
	"holdfast/remedy"
)

// restoredExtensions are a database's, in order.
func restoredExtensions(t testing.TB, s *postgrestest.Server, database string) (names string) {
	t.Helper()
	conn := s.Connect(t, "postgres", database)
	if err := conn.QueryRow(t.Context(),
		`SELECT string_agg(extname, ' ' ORDER BY extname COLLATE "C") FROM pg_extension`).Scan(&names); err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context())
	return names
}

// GoToSocial's user may make neither pg_stat_statements nor bloom; any owner of
// a database may make the others.
func TestUnneededExtensionDoesNotEndTheLoad(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.Exec(t, "gotosocial",
		`CREATE EXTENSION pg_stat_statements; CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm; CREATE EXTENSION bloom;
		CREATE INDEX ON no_key USING gin (a gin_trgm_ops);
		-- pg_depend doesn't see into the body of a function.
		CREATE FUNCTION first(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT public.hstore('a',
		  $1) OPERATOR(public.->) 'a' $$;
		CREATE INDEX ON no_key (first(a))`)
	i := instancetest.Open(t, dir, instance.Options{})
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	s.NewDatabase(t, "by_hand")
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(from, "database", "restore.sql"))
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa", Verbatim: true}
	notes, err := r.PutDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, database := range []string{"by_hand", "gotosocial"} {
		if got, want := restoredExtensions(t, s, database), "hstore pg_trgm plpgsql"; got != want {
			t.Errorf("%s has %s, want %s", database, got, want)
		}
	}
	said := strings.Join(notes, "\n")
	for _, want := range []string{
		`database gotosocial: CREATE EXTENSION IF NOT EXISTS "bloom" WITH SCHEMA "public" CASCADE;`,
		`CREATE EXTENSION IF NOT EXISTS "pg_stat_statements"`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no word of %s in\n%s", want, said)
		}
	}
}

func TestNeededExtensionNamesTheFix(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.Exec(t, "gotosocial", `CREATE EXTENSION bloom; CREATE INDEX ON no_key USING bloom (b)`)
	i := instancetest.Open(t, dir, instance.Options{})
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa", Verbatim: true}
	_, err := r.PutDatabase(t.Context())
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(err.Error(), "lacks the right to make objects of the schema") ||
		!strings.Contains(p.Fix, "ALTER ROLE \"gotosocial\" SUPERUSER") {
		t.Fatalf("%v\nfix: %+v", err, p)
	}
	// A server without the extension.
	file := filepath.Join(from, "database", "pre-data.sql")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, filepath.Join(from, "database/pre-data.sql"), strings.ReplaceAll(string(text), "bloom", "blossom"))
	if _, err := r.PutDatabase(t.Context()); !errors.As(err, &p) || !strings.Contains(err.Error(),
		"lacks software that the schema needs") || !strings.Contains(p.Fix, "postgresql-contrib") {
		t.Errorf("%v\nfix: %+v", err, p)
	}
	testkit.Write(t, filepath.Join(from, "database/pre-data.sql"), string(text))
	s.Exec(t, "postgres", "ALTER ROLE gotosocial SUPERUSER")
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := restoredExtensions(t, s, "gotosocial"); got != "bloom plpgsql" {
		t.Errorf("it has %s", got)
	}
}
