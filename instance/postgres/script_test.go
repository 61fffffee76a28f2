package postgres

import (
	"slices"
	"testing"
)

func TestScriptTellsTheColumnsOfEachFile(t *testing.T) {
	tables := []table{
		{schema: "public", relation: "accounts", columns: []string{"id", `a "b"`, "c, d", `)`, `" ("`}},
		{schema: `s".`, relation: `t (x) from 'public.users.copy'`, columns: []string{"y"}},
		{schema: "public", relation: "users", columns: []string{"id"}},
	}
	script := restoreScript(tables, nil, "public")
	for _, want := range tables {
		got, err := CopiedColumns(script, want.file())
		if err != nil || !slices.Equal(got, want.columns) {
			t.Errorf("%s: %q, %v", want.file(), got, err)
		}
	}
	if got, err := CopiedColumns(script, "public.follows.copy"); err == nil {
		t.Errorf("of a file that is not there: %q", got)
	}
	for _, list := range []string{"", "(", "()", `("a`, `("a"`, `("a",`, `("a", `, `("a", )`, `("a" "b")`, `("a"")`, `(a)`} {
		if names, err := quotedNames(list); err == nil {
			t.Errorf("%q gives %q", list, names)
		}
	}
}
