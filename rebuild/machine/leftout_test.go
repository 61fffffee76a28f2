package machine_test

import (
	"slices"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/manifest"
	"holdfast/rebuild/machine"
	"holdfast/vault"
)

// pg_dump prints large objects among the schema, and no restore takes them.
func TestLargeObjectsAreNamedAndDoNotEndTheLoad(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial",
		`SELECT lo_from_bytea(0, 'abc'), lo_create(0); CREATE PUBLICATION "All" FOR TABLE accounts`)
	i := instancetest.Open(t, dir, instance.Options{})
	v := instancetest.Begin(t, i)
	want := []string{"2 large objects of the database", `the publication "All" of the database`}
	if got := v.(vault.Partial).LeftOut(); !slices.Equal(got, want) {
		t.Errorf("left out %q, want %q", got, want)
	}
	from := postgrestest.RestoredFolder(t, v)
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa", Verbatim: true}
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Error(err)
	}
}

// A restore refuses whatever reaches out of the database. The backup is the time to say so,
// and saves the database nevertheless.
func TestSchemaThatNoRestoreTakesIsSavedAndNamed(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.Exec(t, "gotosocial", `CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw`)
	v := instancetest.Begin(t, instancetest.Open(t, dir, instance.Options{}))
	text, err := postgrestest.ReadFile(t.Context(), v, "pre-data.sql")
	if err != nil || !strings.Contains(string(text), "CREATE SERVER away") {
		t.Errorf("the script is %d bytes, %v", len(text), err)
	}
	if got := v.(vault.Partial).Refused(); len(got) != 1 || !strings.Contains(got[0], "create server away") {
		t.Errorf("a restore refuses %q", got)
	}
}
