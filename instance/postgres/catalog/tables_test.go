package catalog

import (
	"slices"
	"testing"
	"testing/fstest"

	"holdfast/instance/postgres/psql"
)

func TestScriptHasTheColumnsOfEachFile(t *testing.T) {
	tables := []Table{
		{schema: "public", relation: "accounts", columns: []string{"id", `a "b"`, "c, d", `)`, `" ("`}},
		{schema: `s".`, relation: `t (x) from 'public.users.copy'`, columns: []string{"y"}},
		{schema: "public", relation: "users", columns: []string{"id"}},
	}
	text := psql.Script{Tables: CopyLines(tables), Path: `"public"`}.Text()
	script := fstest.MapFS{psql.RestoreFile: {Data: []byte(text)}}
	columns, err := psql.CopiedColumns(script)
	if err != nil || len(columns) != len(tables) {
		t.Errorf("%d files, %v", len(columns), err)
	}
	for _, want := range tables {
		if got := columns[want.File()]; !slices.Equal(got, want.columns) {
			t.Errorf("%s: %q", want.File(), got)
		}
	}
}
