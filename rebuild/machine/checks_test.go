package machine_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgres"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/rebuild/machine"
)

// A constraint may depend on the current time: then rows that the database took long ago break
// the constraint. The row of moments stands for such rows: the constraint is true for a session
// with the setting test.past alone.
const overdue = `
	CREATE FUNCTION timely(v int) RETURNS bool LANGUAGE sql STABLE AS
		$$SELECT v = 0 OR coalesce(current_setting('test.past', true), '') = 'yes'$$;
	CREATE FUNCTION strictly_timely(v int) RETURNS bool LANGUAGE plpgsql STABLE AS
		$$BEGIN IF NOT timely(v) THEN RAISE 'too old: %', v; END IF; RETURN true; END$$;
	SET test.past = 'yes';
	CREATE TABLE moments (v int, CONSTRAINT "it's now" CHECK (timely(v)), CONSTRAINT small CHECK (v < 9));
	COMMENT ON CONSTRAINT "it's now" ON moments IS 'it''s a comment';
	INSERT INTO moments VALUES (0), (1), (2);
	CREATE TABLE "Strict moments" (v int CONSTRAINT strict CHECK (strictly_timely(v)) NO INHERIT);
	INSERT INTO "Strict moments" VALUES (3);
	CREATE DOMAIN "A moment" AS int CONSTRAINT soon CHECK (timely(VALUE)) CONSTRAINT low CHECK (VALUE < 9);
	COMMENT ON CONSTRAINT soon ON DOMAIN "A moment" IS 'of a domain';
	CREATE TABLE of_domain (v "A moment", u "A moment"[]); INSERT INTO of_domain VALUES (5);
	CREATE TABLE more_of_domain (v "A moment"); INSERT INTO more_of_domain VALUES (6);
	ALTER TABLE emojis ADD COLUMN v int DEFAULT 4;
	ALTER TABLE emojis ADD CONSTRAINT unchecked CHECK (timely(v)) NOT VALID;`

func TestRowsThatBreakACheckConstraintComeBack(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", overdue)
	i := instancetest.Open(t, dir, instance.Options{})
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	root, err := os.OpenRoot(from)
	testkit.OK(t, err)
	testkit.OK(t, errors.Join(postgres.Restored{}.Finish(root), root.Close())) // it marks remote media
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa"}
	notes, err := r.PutDatabase(t.Context())
	testkit.OK(t, err)
	for constraint, named := range map[string]bool{
		`confirm the check constraint "it's now" of table moments`:      true,
		`confirm the check constraint strict of table "Strict moments"`: true,
		`confirm the check constraint soon of domain "A moment"`:        true,
		`confirm the check constraint low of domain "A moment"`:         true, // a column has arrays
		"constraint small": false, "constraint unchecked": false,
	} {
		if strings.Contains(strings.Join(notes, "\n"), constraint) != named {
			t.Errorf("%s: named is not %t in %q", constraint, named, notes)
		}
	}
	var constraints string
	conn := s.Connect(t, postgrestest.Owner, "gotosocial")
	testkit.OK(t, conn.QueryRow(t.Context(), `SELECT string_agg(concat_ws(' ', conname, pg_get_constraintdef(oid),
		obj_description(oid, 'pg_constraint')), '|' ORDER BY conname COLLATE "C")
		FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace`).Scan(&constraints))
	if want := strings.Join([]string{
		"it's now CHECK (timely(v)) NOT VALID it's a comment", "low CHECK ((VALUE < 9)) NOT VALID",
		"small CHECK ((v < 9))", "soon CHECK (timely(VALUE)) NOT VALID of a domain",
		"strict CHECK (strictly_timely(v)) NO INHERIT NOT VALID", "unchecked CHECK (timely(v)) NOT VALID",
	}, "|"); constraints != want {
		t.Errorf("constraints %s\nwant %s", constraints, want)
	}
	var rows, cached int
	testkit.OK(t, conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM moments) +
		(SELECT count(*) FROM "Strict moments") + (SELECT count(*) FROM of_domain) +
		(SELECT count(*) FROM more_of_domain), (SELECT count(*) FROM emojis WHERE cached)`).Scan(&rows, &cached))
	if rows != 6 || cached != 1 {
		t.Errorf("%d rows, %d emojis are marked as cached", rows, cached)
	}
}
