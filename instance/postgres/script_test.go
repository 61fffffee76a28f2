package postgres

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestScriptHasTheColumnsOfEachFile(t *testing.T) {
	tables := []table{
		{schema: "public", relation: "accounts", columns: []string{"id", `a "b"`, "c, d", `)`, `" ("`}},
		{schema: `s".`, relation: `t (x) from 'public.users.copy'`, columns: []string{"y"}},
		{schema: "public", relation: "users", columns: []string{"id"}},
	}
	script := fstest.MapFS{RestoreFile: {Data: []byte(restoreScript(tables, nil, "public"))}}
	columns, err := CopiedColumns(script)
	if err != nil || len(columns) != len(tables) {
		t.Errorf("%d files, %v", len(columns), err)
	}
	for _, want := range tables {
		if got := columns[want.file()]; !slices.Equal(got, want.columns) {
			t.Errorf("%s: %q", want.file(), got)
		}
	}
	for _, list := range []string{"", "(", "()", `("a`, `("a"`, `("a",`, `("a", `, `("a", )`, `("a" "b")`, `("a"")`,
		`(a)`} {
		if names, err := parseNames(list); err == nil {
			t.Errorf("%q gives %q", list, names)
		}
	}
}
