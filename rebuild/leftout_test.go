package rebuild_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/manifest"
	"holdfast/rebuild"
	"holdfast/remedy"
	"holdfast/vault"
)

// pg_dump prints large objects among the schema, and no restore takes them.
func TestLargeObjectsAreNamedAndDoNotEndTheLoad(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial",
		`SELECT lo_from_bytea(0, 'abc'), lo_create(0); CREATE PUBLICATION "All" FOR TABLE accounts`)
	i := openInstance(t, dir, instance.Options{})
	v := begin(t, i)
	want := []string{"2 large object(s) of the database", `the publication "All" of the database`}
	if got := v.(vault.Partial).LeftOut(); !slices.Equal(got, want) {
		t.Errorf("left out %q, want %q", got, want)
	}
	from := postgrestest.RestoredFolder(t, v)
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &rebuild.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa", Verbatim: true}
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Error(err)
	}
}

// A restore refuses whatever reaches out of the database. The backup is the time to say so.
func TestSchemaThatNoRestoreTakesEndsTheBackup(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	s.Exec(t, "gotosocial", `CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw`)
	_, err := postgrestest.ReadFile(t.Context(), begin(t, openInstance(t, dir, instance.Options{})), "pre-data.sql")
	var problem *remedy.Error
	if !errors.As(err, &problem) || problem.Kind != remedy.Source || !strings.Contains(err.Error(),
		"no restore would take the schema") || !strings.Contains(err.Error(), "create server away") {
		t.Errorf("the backup ends with %v", err)
	}
}
