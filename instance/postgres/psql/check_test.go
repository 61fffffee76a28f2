package psql

import (
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// dumped is a schema as pg_dump writes it, with what an admin may add to GoToSocial's.
const dumped = `--
-- PostgreSQL database dump
--
SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET default_tablespace = '';
CREATE TABLE public.accounts (
    id character(26) NOT NULL,
    "a ""b"" \! c" text DEFAULT 'it''s a \d'::text,
    name character varying(9) DEFAULT E'a\\b\'c'::character varying,
    created_at timestamp(6) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    size numeric(10,2),
    CONSTRAINT fits CHECK ((lower((name)::text) ~ '^\w+$'::text))
);
CREATE TABLE public.parts (id bigint NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE public.part PARTITION OF public.parts FOR VALUES FROM ('1') TO ('9');
CREATE SEQUENCE public.accounts_id_seq START WITH 1 NO MAXVALUE CACHE 1;
ALTER TABLE ONLY public.accounts ALTER COLUMN id SET DEFAULT nextval('public.accounts_id_seq'::regclass);
ALTER TABLE ONLY public.accounts ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.parts ADD CONSTRAINT parts_fkey FOREIGN KEY (id) REFERENCES public.accounts(id);
CREATE VIEW public.local AS SELECT count(*) AS n FROM public.accounts WHERE (name IS NULL);
CREATE INDEX view_idx ON public.accounts USING btree ((((name IS NULL) OR (cardinality(x) = 0))), id DESC);
CREATE TYPE public.mood AS ENUM ('sad', 'ok');
CREATE EXTENSION IF NOT EXISTS bloom WITH SCHEMA public;
CREATE INDEX blooms ON public.accounts USING bloom (size);
COMMENT ON TABLE public.accounts IS 'people: \o/ ; and more';
`

// code is what an admin may add to a schema, too.
const code = `CREATE FUNCTION public.first(text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $_$ SELECT $1; DROP TABLE '\! "$_$;
CREATE FUNCTION public.second(a integer) RETURNS integer LANGUAGE sql
BEGIN ATOMIC
 SELECT CASE WHEN (second.a > 1) THEN $1 ELSE 0 END AS a;
 SELECT 2;
END;
CREATE TRIGGER t BEFORE INSERT ON public.accounts FOR EACH ROW EXECUTE FUNCTION public.third();
CREATE RULE r AS ON INSERT TO public.accounts DO ( DELETE FROM public.a; DELETE FROM public.b; );
CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.fourth();
ALTER EVENT TRIGGER e DISABLE;
CREATE DOMAIN public.short AS text CONSTRAINT c CHECK ((length(VALUE) < 9));
CREATE POLICY p ON public.accounts USING (true);
CREATE INDEX ON public.accounts USING btree (public.first(name));
`

func TestSchemaOfPgDumpPasses(t *testing.T) {
	files := fstest.MapFS{PreData: {Data: []byte(dumped)}, PostData: {Data: []byte(code)},
		Sequences:  {Data: []byte(`SELECT pg_catalog.setval('public."a b"', 2, 't');` + "\n")},
		Extensions: {Data: []byte(`CREATE EXTENSION IF NOT EXISTS "hstore" WITH SCHEMA "public" CASCADE;` + "\n")},
		EventTriggers: {Data: []byte(`CREATE EVENT TRIGGER e ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE ` +
			"FUNCTION public.f(); ALTER EVENT TRIGGER e DISABLE;\n")},
		RestoreFile: {Data: []byte(Script{
			Tables: []CopyLine{{`"a b"."c ""d"`, `("x", "y z")`, "a%20b.c.copy"},
				{`"public"."n"`, "", "public.n.copy"}},
			Path: `"pub""lic", "a, b"`, Extensions: true, EventTriggers: true}.Text())}}
	if err := Check(files); err != nil {
		t.Errorf("an admin's schema: %v", err)
	}
	delete(files, PostData)
	if err := CheckForSuperuser(files, "gotosocial"); err != nil {
		t.Errorf("GoToSocial's schema: %v", err)
	}
}

func TestGoToSocialsOwnSchemaPassesForASuperuser(t *testing.T) {
	recorded := testkit.Read(t, filepath.Join(testkit.RecordedPostgres.Copy(t), "gotosocial.sql"))
	rows := regexp.MustCompile(`(?ms)^COPY .*?^\\\.$`)
	values := regexp.MustCompile(`(?m)^SELECT pg_catalog\.setval.*$`)
	restrict := regexp.MustCompile(`(?m)^\\(un)?restrict .*$`)
	for _, other := range []*regexp.Regexp{rows, values, restrict} {
		recorded = other.ReplaceAll(recorded, nil)
	}
	files := fstest.MapFS{PreData: {Data: recorded}}
	if err := errors.Join(Check(files), CheckForSuperuser(files, "postgres")); err != nil {
		t.Error(err)
	}
}

func TestScriptThatReachesOutIsRefused(t *testing.T) {
	for _, hostile := range []string{
		`\! id`, `SELECT 1 \g | id`, "-- a\r\\! id", `CREATE TABLE a (b int); \! id`,
		`COMMENT ON TABLE a \! id IS '';`, `CREATE TABLE a (b int) \g | id`,
		`COPY a FROM PROGRAM 'id';`, `COPY a TO PROGRAM 'id';`, `\copy a to program 'id'`, `\i /etc/passwd`,
		`ALTER SYSTEM SET archive_command = 'id';`, `ALTER ROLE gotosocial SUPERUSER;`, `DO $$ BEGIN END $$;`,
		`ALTER DATABASE gotosocial SET search_path = x;`, `SELECT lo_export(1, '/etc/cron.d/x');`, `CALL f();`,
		`SELECT pg_catalog.set_config('session_authorization', '', false);`, `SET ROLE postgres;`,
		`SET SESSION AUTHORIZATION postgres;`, `RESET ROLE;`, `GRANT ALL ON a TO b;`, `CREATE ROLE a;`,
		`CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'system';`,
		`CREATE FUNCTION f() RETURNS int AS 'libc', 'system' LANGUAGE 'c';`,
		`CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE "plpython3u" AS $$ x $$;`,
		`CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'pg_read_file';`,
		`CREATE LANGUAGE plpython3u;`, `CREATE SERVER s FOREIGN DATA WRAPPER w;`, `CREATE FOREIGN TABLE a () SERVER s;`,
		`CREATE SUBSCRIPTION s CONNECTION 'host=evil' PUBLICATION p;`,
		`CREATE SCHEMA s CREATE TABLE a (b int);`, `COMMENT ON DATABASE a IS 'restored by holdfast';`,
		`CREATE TABLE a AS SELECT set_config('client_encoding', 'SJIS', false);`,
		`ALTER TABLE a ADD b text DEFAULT f();`,
		`ALTER TABLE ONLY x.a ADD COLUMN b text DEFAULT f();`, `ALTER TABLE a ALTER COLUMN b TYPE text USING f();`,
		`ALTER TABLE a ALTER COLUMN b SET DATA TYPE text USING f();`,
		`ALTER TABLE a CLUSTER ON b, ADD c text DEFAULT f();`,
		// The rest looks like a text to one reader, and like a command to another.
		`SET standard_conforming_strings = off;`, `SET client_encoding = 'SJIS';`,
		`COMMENT ON TABLE a IS 'x\'; COPY a TO PROGRAM ''id'' --';`, `COMMENT ON TABLE a IS '\'' \! id '`,
		`COMMENT ON TABLE a IS U&'\0027 x';`, `COMMENT ON TABLE U&"a" IS '';`,
		"COMMENT ON TABLE a IS E'x'\n'\\' \\! id '';", `COMMENT ON TABLE a IS 1$a$ ' $a$ \! id ; ';`,
		`COMMENT ON TABLE a$b$ IS ' $b$ \! id ';`, `COMMENT ON TABLE a IS $1$ ' $1$ \! id '`,
		`COMMENT ON TABLE a /* ' */ IS ' \! id ';`, `COMMENT ON TABLE :'x' IS '';`, "COMMENT ON TABLE a IS '\x00';",
		`COMMENT ON TABLE a IS 'no end`, `COMMENT ON TABLE a IS $$no end`, `COMMENT ON TABLE "a`,
		`CREATE FUNCTION f(begin atomic) RETURNS int LANGUAGE sql AS 'x'; COPY a TO PROGRAM 'id'; END;`,
		`CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; COPY a TO PROGRAM 'id'; END;`,
		`CREATE TABLE a (b int[); COPY a TO PROGRAM 'id'; CREATE TABLE c (d int];`,
	} {
		for _, script := range []string{PreData, PostData, Sequences, Extensions, RestoreFile} {
			err := Check(fstest.MapFS{script: {Data: []byte(hostile + "\n")}})
			var refused *remedy.Error
			if !errors.As(err, &refused) || refused.Kind != remedy.Refused || refused.Fix == "" ||
				!strings.Contains(err.Error(), script) {
				t.Errorf("%s takes %q: %v", script, hostile, err)
			}
		}
	}
}

// Only a superuser can make these objects, and a superuser's restore takes no code. The
// check names them at the backup, before a restore needs them.
func TestObjectsOfSuperusersAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"CREATE FUNCTION public.f(leakproof integer) RETURNS integer\n    LANGUAGE sql AS $_$SELECT $1$_$;": "",

		"CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE sql LEAKPROOF AS $$SELECT 1$$;": "leakproof",

		"CREATE OPERATOR FAMILY public.o USING btree;": "operator class",
		"CREATE OPERATOR CLASS public.o\n    FOR TYPE integer USING btree FAMILY public.o AS\n" +
			"    OPERATOR 1 <(integer,integer) ,\n    FUNCTION 1 public.c(integer,integer);": "operator class",
		"ALTER OPERATOR FAMILY public.o USING btree ADD\n    OPERATOR 1 <(integer,integer);": "operator class",

		"CREATE OPERATOR public.=== (\n    FUNCTION = int4eq,\n    LEFTARG = integer\n);": "",
	} {
		err := CheckText(PreData, text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// By psql the rows come before these scripts, and a function that checks the rows may leave
// psql with another encoding, in which a letter and the quote after it are one character.
func TestLetterCannotHideAQuote(t *testing.T) {
	for text, want := range map[string]bool{
		`COMMENT ON INDEX a IS 'Größe';`: true, `COMMENT ON INDEX a IS 'é' ;`: false,
		`COMMENT ON INDEX a IS 'é0x';`: false,
		`COMMENT ON INDEX "é" IS '';`:  false, "-- é\nCOMMENT ON INDEX a IS '';": false,
		`COMMENT ON INDEX é-- a`: false,
	} {
		if err := Check(fstest.MapFS{PostData: {Data: []byte(text)}}); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := Check(fstest.MapFS{PreData: {Data: []byte(`COMMENT ON TABLE a IS 'é';`)}}); err != nil {
		t.Error(err)
	}
}

func TestRestoreScriptHasItsOwnLinesOnly(t *testing.T) {
	whole := Script{Path: `"public"`}.Text()
	for _, line := range []string{
		`\echo x`, "\\echo `id`", `\set ON_ERROR_STOP off`, `\i other.sql`, `\copy "a"."b" ("c") from program 'id'`,
		`\copy "a"."b" ("c") from '/etc/passwd'`, `\copy "a"."b" ("c") from '../a.copy'`,
		`\copy a.b ("c") from 'a.copy'`,
		`\copy "a"."b" (c) from 'a.copy'`, `\copy "a"."b"; DROP TABLE x ("c") from 'a.copy'`, `ANALYZE; \! id`,
		`\copy "a"."b" ("c") from 'a.copy' ; \! id'`, `SET search_path = "a", pg_catalog; \! id`, `SET search_path = "`,
		`SELECT 1;`, "-- a\r\\! id",
	} {
		if err := Check(fstest.MapFS{RestoreFile: {Data: []byte(whole + line + "\n")}}); err == nil {
			t.Errorf("%q passes", line)
		}
	}
}

func TestSuperuserRunsNoCodeOfASnapshot(t *testing.T) {
	for statement := range strings.SplitSeq(strings.TrimSpace(code), ";\n") {
		if strings.HasPrefix(statement, "CREATE") && !strings.HasPrefix(statement, "CREATE FUNCTION public.second") {
			refuseCode(t, statement+";")
		}
	}
	for _, statement := range []string{
		`CREATE TABLE a (b text DEFAULT pg_read_file('/etc/shadow'));`,
		`CREATE TABLE a (b text, CHECK (pg_catalog."lo_export"(1, '/x') = 1));`,
		`CREATE INDEX i ON a USING btree (query_to_xml ('COPY a TO PROGRAM ''id''', true, true, ''));`,
		`CREATE MATERIALIZED VIEW v AS SELECT pg_ls_dir('/') AS x;`,
		`CREATE TYPE t AS RANGE (subtype = text, subtype_diff = f);`,
	} {
		refuseCode(t, statement)
	}
}

func refuseCode(t *testing.T, statement string) {
	t.Helper()
	files := fstest.MapFS{PreData: {Data: []byte(statement)}}
	if err := Check(files); err != nil {
		t.Errorf("for an ordinary user %q: %v", statement, err)
	}
	if err := CheckForSuperuser(files, "postgres"); !remedy.Is(err, remedy.Refused) {
		t.Errorf("for a superuser %q: %v", statement, err)
	}
}

func TestOnlyTheFilesOfADatabasePartArriveInAFolder(t *testing.T) {
	for _, name := range []string{"after-restore.sql", "x.sql", "../x.copy", "a/b.copy", ".copy/x", "a b.copy", "",
		".psqlrc"} {
		if path, ok := Locate(name); ok {
			t.Errorf("%q goes to %s", name, path)
		}
	}
	for _, name := range []string{"restore.sql", "pre-data.sql", "public.a%20b.copy"} {
		if path, ok := Locate(name); !ok || path != "database/"+name {
			t.Errorf("%q goes to %q", name, path)
		}
	}
}
