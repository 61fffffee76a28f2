package machine_test

import (
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/manifest"
	"holdfast/rebuild/machine"
)

// An admin's own functions name other objects without a schema, and PostgreSQL calls the
// functions while the rows and indexes are made. Tables load in the order of their sizes:
// "guarded" and "twice_guarded" come before the tables that their constraints read.
const unqualified = `
	CREATE TABLE zz_dict (v text PRIMARY KEY); INSERT INTO zz_dict VALUES ('a');
	CREATE FUNCTION known(p text) RETURNS bool LANGUAGE sql STABLE AS
		'SELECT EXISTS (SELECT FROM zz_dict WHERE v = p)';
	CREATE TABLE guarded (v text CHECK (known(v)), filler text);
	INSERT INTO guarded SELECT 'a', repeat('x', 100) FROM generate_series(1, 1000);
	CREATE FUNCTION strict_known(p text) RETURNS bool LANGUAGE plpgsql STABLE AS $$
		BEGIN IF NOT EXISTS (SELECT FROM guarded WHERE v = p) THEN RAISE 'unknown'; END IF; RETURN true; END $$;
	CREATE TABLE twice_guarded (v text CHECK (strict_known(v)), filler text);
	INSERT INTO twice_guarded SELECT 'a', repeat('x', 100) FROM generate_series(1, 2000);
	CREATE FUNCTION rows_of() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM guarded';
	CREATE MATERIALIZED VIEW summary AS SELECT rows_of() AS n;
	CREATE FUNCTION inner_upper(p text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(p)';
	CREATE FUNCTION outer_upper(p text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT inner_upper(p)';
	CREATE TABLE computed (v text, u text GENERATED ALWAYS AS (outer_upper(v)) STORED);
	INSERT INTO computed VALUES ('x'); CREATE INDEX ON computed (outer_upper(v));`

func TestFunctionsThatNameNoSchemaComeBack(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", unqualified)
	i := instancetest.Open(t, dir, instance.Options{})
	want := postgrestest.SortedLines(s.Dump(t, "gotosocial"))
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa", Verbatim: true}
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := postgrestest.SortedLines(s.Dump(t, "gotosocial")); got != want {
		t.Errorf("loaded\n%s\nwant\n%s", got, want)
	}
	var n int64
	conn := s.Connect(t, postgrestest.Owner, "gotosocial")
	if err := conn.QueryRow(t.Context(), "SELECT n FROM summary").Scan(&n); err != nil || n != 1000 {
		t.Errorf("the materialized view has %d, %v", n, err)
	}
}

// Only a superuser may make an event trigger, and no row depends on one.
func TestEventTriggerDoesNotEndTheLoad(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.Exec(t, "gotosocial", `CREATE FUNCTION "Note it"() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
		CREATE EVENT TRIGGER "it's" ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE')
			EXECUTE FUNCTION "Note it"();
		COMMENT ON EVENT TRIGGER "it's" IS E'one;\nCREATE TABLE it''s;\n';
		CREATE EVENT TRIGGER off ON sql_drop EXECUTE FUNCTION "Note it"(); ALTER EVENT TRIGGER off DISABLE;`)
	i := instancetest.Open(t, dir, instance.Options{})
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	s.NewDatabase(t, "by_hand")
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(from, "database", "restore.sql"))
	s.NewDatabase(t, "by_superuser")
	s.Load(t, "postgres", "by_superuser", filepath.Join(from, "database", "restore.sql"))
	var triggers string
	if err := s.Connect(t, "postgres", "by_superuser").QueryRow(t.Context(), `SELECT string_agg(concat_ws(' ', evtname,
		evtevent, evtenabled, evttags), '|' ORDER BY evtname) FROM pg_event_trigger`).Scan(&triggers); err != nil {
		t.Fatal(err)
	}
	if want := `it's ddl_command_end O {"CREATE TABLE","DROP TABLE"}|off sql_drop D`; triggers != want {
		t.Errorf("the superuser has %q, want %q", triggers, want)
	}
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa", Verbatim: true}
	notes, err := r.PutDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := `database gotosocial: CREATE EVENT TRIGGER "it's" ON ddl_command_end ` +
		`WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION public."Note it"();`
	if said := strings.Join(notes, "\n"); !strings.Contains(said, want) {
		t.Errorf("no word of %s in\n%s", want, said)
	}
}
