package psql

import "testing"

func TestListOfColumnsIsReadStrictly(t *testing.T) {
	for _, list := range []string{"", "(", "()", `("a`, `("a"`, `("a",`, `("a", `, `("a", )`, `("a" "b")`, `("a"")`,
		`(a)`} {
		if names, err := parseNames(list); err == nil {
			t.Errorf("%q gives %q", list, names)
		}
	}
}
