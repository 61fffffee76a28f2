package gotosocial

import "testing"

// Without the snapshot's word, the unit in it decides.
func TestServerRunsAsItsUnitSays(t *testing.T) {
	for _, c := range [][2]string{{"gts:gts", "gts:gts"}, {"gts:", "gts:"}, {":audio", "root:audio"}, {":", ""},
		{"", ""}} {
		if got := (&Config{UnitUser: c[0]}).ServiceUser(); got != c[1] {
			t.Errorf("%q: %q, want %q", c[0], got, c[1])
		}
	}
}
