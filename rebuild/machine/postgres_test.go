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

// lost is an instance on PostgreSQL whose database and media are gone, and the
// rebuild of it.
func lost(t *testing.T, s *postgrestest.Server) *machine.Machine {
	t.Helper()
	i := instancetest.Open(t, s.NewInstance(t, "gotosocial"), instance.Options{})
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	if err := os.RemoveAll(i.Config().Storage()); err != nil {
		t.Fatal(err)
	}
	// Nobody answers at that domain.
	return &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres},
		Domain: "127.0.0.1:1", Folder: from, RunID: "aaaa"}
}

// fails wants the load to fail with words for it.
func fails(t *testing.T, r *machine.Machine, what, fix string) error {
	t.Helper()
	_, err := r.PutDatabase(t.Context())
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(err.Error(), what) || !strings.Contains(p.Fix, fix) {
		t.Errorf("%v; %+v", err, p)
	}
	return err
}

// refused is the first finding that keeps a restore from beginning.
func refused(findings []machine.Finding) machine.Finding {
	for _, f := range findings {
		if f.Refused {
			return f
		}
	}
	return machine.Finding{}
}

func TestPostgresIsLoadedWhole(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	i := instancetest.Open(t, dir, instance.Options{})
	want := postgrestest.SortedLines(s.Dump(t, "gotosocial"))
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	again := t.TempDir()
	if err := os.CopyFS(again, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	rebuild := func(from, snapshot string, replace bool) error {
		r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
			RunID: snapshot, Replace: replace, Verbatim: true}
		_, err := r.PutDatabase(t.Context())
		return err
	}
	// One that is there is never dropped.
	var p *remedy.Error
	if err := rebuild(from, "aaaa", false); !errors.As(err, &p) || !strings.Contains(err.Error(), "exists") ||
		!strings.Contains(p.Fix, "--replace") {
		t.Errorf("%v", err)
	}
	if err := rebuild(from, "aaaa", true); err != nil {
		t.Fatal(err)
	}
	if got := postgrestest.SortedLines(s.Dump(t, "gotosocial")); got != want {
		t.Errorf("loaded\n%s\nwant\n%s", got, want)
	}
	databases := func() (n int) {
		if err := s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
			"SELECT count(*) FROM pg_database WHERE datname LIKE 'gotosocial%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := databases(); n != 2 {
		t.Errorf("%d databases, want the loaded one and the one before", n)
	}
	// Again, as after a run that was killed while it removed the loaded files.
	testkit.OK(t, os.Remove(filepath.Join(again, "database", "public.no_key.copy")))
	if err := rebuild(again, "aaaa", false); err != nil || databases() != 2 {
		t.Errorf("again: %v, %d databases", err, databases())
	}
}

func TestDamagedRowsAreNotLoaded(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	i := instancetest.Open(t, dir, instance.Options{})
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	testkit.Write(t, filepath.Join(from, "database/public.no_key.copy"), "row 1\tx\n")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa"}
	if _, err := r.PutDatabase(t.Context()); err == nil || strings.Contains(err.Error(), "row 1") {
		t.Errorf("%v", err)
	}
	var there bool
	if err := s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
		"SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'gotosocial')").Scan(&there); err != nil || there {
		t.Errorf("it has its name: %v, %v", there, err)
	}
	// What the failed try left is no hindrance.
	testkit.Write(t, filepath.Join(from, "database/public.no_key.copy"), "row 1\t7\n")
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTablesThatInheritKeepTheirOwnRows(t *testing.T) {
	s := postgrestest.Start(t)
	i := instancetest.Open(t, s.NewInstance(t, "gotosocial"), instance.Options{})
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "CREATE TABLE parent (a int); CREATE TABLE child () INHERITS "+
		"(parent); INSERT INTO parent VALUES (1); INSERT INTO child SELECT generate_series(2, 100)")
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa", Verbatim: true}
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	var own, all int
	conn := s.Connect(t, "postgres", "gotosocial")
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM ONLY parent), (SELECT count(*) FROM "+
		"parent)").Scan(&own, &all); err != nil || own != 1 || all != 100 {
		t.Errorf("%d of %d rows, %v", own, all, err)
	}
}

func TestEmptyDatabaseInTheWayIsRenamedAndMayGo(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	s.NewDatabase(t, "gotosocial")
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "postgres", "ALTER DATABASE old RENAME TO gotosocial_before_that")
	rest := strings.Join(r.Remaining(t.Context()), "\n")
	var name string
	if err := s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
		"SELECT datname FROM pg_database WHERE datname LIKE 'gotosocial_before_2%'").Scan(&name); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"was empty and is now called " + name + "; you can drop it: DROP DATABASE \"" + name + `"`,
		`is now called gotosocial_before_that; once you miss nothing`,
	} {
		if !strings.Contains(rest, want) {
			t.Errorf("it says nothing of %q:\n%s", want, rest)
		}
	}
}

func TestDatabaseInUseIsSeenInThePlan(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	r.Replace = true
	s.Exec(t, "postgres", "ALTER DATABASE old RENAME TO gotosocial")
	s.Connect(t, postgrestest.Owner, "gotosocial") // for the length of the test
	for _, f := range r.Inspect(t.Context(), nil, false) {
		if f.Subject == "database" && (!f.Refused || !strings.Contains(f.Detail, "in use by 1 connection")) {
			t.Errorf("%+v", f)
		}
	}
}
