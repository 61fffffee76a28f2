package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/postgres/check"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
)

const schema = `
	CREATE TABLE "It's" (v int CONSTRAINT small CHECK (v < 9) CONSTRAINT "no ""five""" CHECK (v <> 5));
	COMMENT ON CONSTRAINT small ON "It's" IS 'a comment';
	CREATE TABLE days (v int CONSTRAINT day CHECK (v < 9)) PARTITION BY LIST (v);
	CREATE TABLE a_day PARTITION OF days DEFAULT;
	CREATE DOMAIN days_ahead AS int CONSTRAINT ahead CHECK (VALUE < 9);
	CREATE TABLE trips (v days_ahead);
	CREATE TABLE not_named (v int CHECK (v < 9));`

// constraints returns the check constraints of all tables and domains.
func constraints(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var all string
	testkit.OK(t, conn.QueryRow(t.Context(), `SELECT string_agg(format('%s %s %s %s %s %s', conrelid::regclass,
		contypid::regtype, conname, coninhcount, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint')),
		E'\n' ORDER BY conrelid::regclass::text, conname)
		FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace`).Scan(&all))
	return all
}

func TestDroppedConstraintsComeBackAndThoseThatRowsBreakAreTold(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", schema)
	conn := s.Connect(t, postgrestest.Owner, "gotosocial")
	before := constraints(t, conn)
	dropped, err := check.Drop(t.Context(), conn, []string{`"public"."It's"`, `"public"."a_day"`, `"public"."trips"`})
	testkit.OK(t, err)
	s.ExecAs(t, postgrestest.Owner, "gotosocial", `INSERT INTO "It's" VALUES (12); INSERT INTO days VALUES (12);
		INSERT INTO trips VALUES (12)`)
	if _, err := conn.Exec(t.Context(), "INSERT INTO not_named VALUES (12)"); !check.IsBroken(err) {
		t.Errorf("a table that nobody named takes the row: %v", err)
	}
	open, err := check.Add(t.Context(), conn, dropped)
	testkit.OK(t, err)
	var told []string
	for _, c := range open {
		told = append(told, c.Name+" of "+c.Of)
	}
	want := []string{"ahead of domain days_ahead", `small of table "It's"`, "day of table days"}
	if slices.Sort(told); !slices.Equal(told, slices.Sorted(slices.Values(want))) {
		t.Errorf("told %q, want %q", told, want)
	}
	after := constraints(t, conn)
	if strings.Count(after, "NOT VALID") != len(want)+1 { // a_day inherits
		t.Errorf("not valid are\n%s", after)
	}
	if after = strings.ReplaceAll(after, " NOT VALID", ""); after != before {
		t.Errorf("constraints\n%s\nwant\n%s", after, before)
	}
}
