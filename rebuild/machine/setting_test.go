package machine_test

import (
	"path/filepath"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/rebuild/machine"
)

// An admin may give the role any setting, for example read-only transactions before a move.
func TestSettingsOfTheRoleDisturbNeitherBackupNorRestore(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", `CREATE TABLE texts (id int PRIMARY KEY, words text[], page xml);
		INSERT INTO texts VALUES (1, '{null,"null",é}', 'only <b>content</b>')`)
	for _, setting := range []string{
		"standard_conforming_strings = off", "client_encoding = 'LATIN1'", "xmloption = 'document'",
		"array_nulls = off", "quote_all_identifiers = on", "default_transaction_read_only = on",
	} {
		s.Exec(t, "postgres", "ALTER ROLE "+postgrestest.Owner+" SET "+setting)
	}
	i := instancetest.Open(t, dir, instance.Options{})
	want := postgrestest.SortedLines(s.Dump(t, "gotosocial"))
	from := postgrestest.RestoredFolder(t, instancetest.Begin(t, i))
	named, err := i.Named(t.Context(), []string{"none"})
	if err != nil || len(named) > 0 {
		t.Errorf("the media are %v, %v", named, err)
	}
	// An earlier backup, with the pg_dump of PostgreSQL 17.
	for _, name := range []string{"pre-data.sql", "post-data.sql"} {
		script := filepath.Join(from, "database", name)
		testkit.Write(t, script, "SET transaction_timeout = 0;\n"+string(testkit.Read(t, script)))
	}
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa", Verbatim: true}
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := postgrestest.SortedLines(s.Dump(t, "gotosocial")); got != want {
		t.Errorf("loaded\n%s\nwant\n%s", got, want)
	}
}
