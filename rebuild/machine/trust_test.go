package machine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/rebuild/machine"
	"holdfast/rebuild/restored"
	"holdfast/remedy"
	"holdfast/vault"
)

// additions are what an admin may add to GoToSocial's schema without a superuser's rights.
const additions = `
CREATE FUNCTION short(t text) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$ SELECT length(t) < 99; -- '\! ;
$$;
CREATE FUNCTION pick(a integer) RETURNS integer IMMUTABLE LANGUAGE sql BEGIN ATOMIC
  SELECT CASE WHEN a > 1 THEN $1 ELSE 0 END; END;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO public.notes VALUES ('x'); RETURN new;
  END $f$;
CREATE PROCEDURE nothing_at_all() LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE most(integer) (SFUNC = int4larger, STYPE = integer);
CREATE DOMAIN small AS text CHECK (short(VALUE) AND VALUE ~ '^\w*$');
CREATE TYPE mood AS ENUM ('so so', 'it''s \ good');
CREATE TYPE pair AS (a small, b mood[]);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE OPERATOR === (FUNCTION = int4eq, LEFTARG = integer, RIGHTARG = integer);
CREATE CAST (mood AS small) WITH INOUT;
CREATE COLLATION plain FROM "C";
CREATE TEXT SEARCH CONFIGURATION search (COPY = simple);
CREATE TABLE notes (v small DEFAULT E'a\\b', m mood, p pair, b bit(3) DEFAULT B'101', "Wörter: 'x' \! ; $a$" text
  DEFAULT '$a$ '' \n', i integer GENERATED ALWAYS AS IDENTITY, x integer[] CHECK (x[1:2] <> '{}'),
  EXCLUDE USING btree (i WITH =));
CREATE TABLE parts (id bigint) PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF parts FOR VALUES IN (1, 2);
CREATE TRIGGER t AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE notes DISABLE TRIGGER ALL;
CREATE RULE r AS ON DELETE TO notes DO ALSO (SELECT 1; SELECT 2);
CREATE VIEW two AS WITH w AS (SELECT 1 AS a) SELECT a, string_agg(m::text, ', ' ORDER BY m) AS s,
  count(*) FILTER (WHERE i > 1) FROM notes JOIN w ON true GROUP BY a;
CREATE RECURSIVE VIEW deep (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM deep WHERE n < 3;
CREATE MATERIALIZED VIEW kept AS SELECT pick(i) AS i FROM notes;
CREATE UNIQUE INDEX ON kept (i) INCLUDE (i) WHERE i IS NOT NULL;
CREATE POLICY p ON notes USING (v <> 'hidden');
CREATE STATISTICS s (dependencies) ON i, m FROM notes;
COMMENT ON TABLE notes IS 'a \ b'' \! ; COPY -- /* "';
ALTER TABLE notes REPLICA IDENTITY FULL;
CLUSTER accounts USING accounts_pkey;
INSERT INTO parts VALUES (1);
`

// finish completes a restored folder of PostgreSQL for psql.
func finish(t *testing.T, folder string) error {
	t.Helper()
	root, err := os.OpenRoot(folder)
	testkit.OK(t, err)
	defer root.Close()
	_, err = (&restored.Folder{Path: folder}).Finish(t.Context(), root, vault.Restored{
		Domain: "social.example.org", Facts: manifest.Facts{Engine: gotosocial.Postgres},
		Parts: map[manifest.Part]bool{manifest.Database: true, manifest.Media: true}})
	return err
}

func TestWhatAnAdminAddedToTheSchemaComesBack(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", additions)
	want := postgrestest.SortedLines(s.Dump(t, "gotosocial"))
	i := instancetest.Open(t, dir, instance.Options{})
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	testkit.OK(t, finish(t, from))
	testkit.OK(t, os.Remove(filepath.Join(from, "database", "after-restore.sql")))
	s.NewDatabase(t, "by_hand")
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(from, "database", "restore.sql"))
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa", Verbatim: true}
	_, err := r.PutDatabase(t.Context())
	testkit.OK(t, err)
	for _, database := range []string{"by_hand", "gotosocial"} {
		if got := postgrestest.SortedLines(s.Dump(t, database)); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", database, got, want)
		}
	}
}

func TestScriptThatStartsAProgramIsNeitherRunNorWritten(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	file := filepath.Join(r.Folder, "database", "post-data.sql")
	text, err := os.ReadFile(file)
	testkit.OK(t, err)
	ran := filepath.Join(t.TempDir(), "ran")
	for _, hostile := range []string{`\! touch ` + ran, fmt.Sprintf(`COPY accounts TO PROGRAM 'touch %s';`, ran)} {
		testkit.Write(t, file, string(text)+hostile+"\n")
		for who, err := range map[string]error{
			"a folder": finish(t, r.Folder), "a restore": fails(t, r, "post-data.sql", "by hand")} {
			if !remedy.Is(err, remedy.Refused) {
				t.Errorf("%s takes %q: %v", who, hostile, err)
			}
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the program ran")
	}
	var made int
	testkit.OK(t, s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
		"SELECT count(*) FROM pg_database WHERE datname LIKE 'gotosocial%'").Scan(&made))
	if made != 0 {
		t.Error("a refused restore made a database")
	}
}

// In PostgreSQL's own container image the only user is a superuser.
func TestSuperuserLoadsTablesAndNoCode(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	plan := func() string { return fmt.Sprint(r.Inspect(t.Context(), nil, false)) }
	if said := plan(); !strings.Contains(said, `as PostgreSQL's user "gotosocial"`) ||
		!strings.Contains(said, fmt.Sprintf(`at 127.0.0.1:%d`, s.Port)) || strings.Contains(said, "no code") {
		t.Errorf("the plan for an ordinary user: %s", said)
	}
	file := filepath.Join(r.Folder, "database", "pre-data.sql")
	text, err := os.ReadFile(file)
	testkit.OK(t, err)
	const code = "CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n"
	rights := []string{"SUPERUSER", "NOSUPERUSER IN ROLE pg_write_server_files"}
	var version int
	testkit.OK(t, s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
		"SELECT current_setting('server_version_num')::int").Scan(&version))
	if version < 160000 {
		rights = slices.Insert(rights, 1, "NOSUPERUSER CREATEROLE")
	}
	for _, right := range rights {
		attribute, role, member := strings.Cut(right, " IN ROLE ")
		s.Exec(t, "postgres", "ALTER ROLE gotosocial "+attribute)
		if member {
			s.Exec(t, "postgres", "GRANT "+role+" TO gotosocial")
		}
		if said := plan(); !strings.Contains(said, "tables and no code") {
			t.Errorf("the plan for %s: %s", right, said)
		}
		testkit.Write(t, file, string(text)+code)
		fails(t, r, "the snapshot's schema holds code", "NOSUPERUSER")
	}
	testkit.Write(t, file, string(text))
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Error(err)
	}
}
