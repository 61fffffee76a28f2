package gotosocial_test

import (
	"testing"

	"holdfast/instance/gotosocial"
)

// From older to newer; versions of one line are equal.
var versionOrder = [][]string{
	{"0.9.0"},
	{"0.19.2", "v0.19.2", "0.19.2+git-8f1f1a0"},
	{"0.20.0-beta.2"},
	{"0.20.0-rc1", "0.20.0-rc1+git-2", "v0.20.0-rc1"},
	{"0.20.0-rc1-8-g57cb4fe74"},
	{"0.20.0-rc1-10-gabc"},
	{"0.20.0-rc2", "0.20.0-rc.2"},
	{"0.20.0-rc10"},
	{"0.20.0", "0.20.0+git-3"},
	{"0.20.0-3-gabc1234"},
	{"0.20.1"},
	{"0.21.0-rc1"},
	{"1.0.0"},
}

func TestVersionsHaveTheOrderOfTheirCommits(t *testing.T) {
	for i, line := range versionOrder {
		for j, other := range versionOrder {
			for _, a := range line {
				for _, b := range other {
					compareVersions(t, a, b, compareInts(i, j))
				}
			}
		}
	}
}

func compareVersions(t *testing.T, a, b string, want int) {
	t.Helper()
	v, ok1 := gotosocial.ParseVersion(a)
	w, ok2 := gotosocial.ParseVersion(b)
	if !ok1 || !ok2 {
		t.Fatalf("%q or %q is not understood", a, b)
	}
	if got := v.Compare(w); got != want {
		t.Errorf("Compare(%q, %q) = %d, want %d", a, b, got, want)
	}
}

func compareInts(i, j int) int {
	switch {
	case i < j:
		return -1
	case i > j:
		return 1
	}
	return 0
}

func TestVersionOfUnknownFormIsNotUnderstood(t *testing.T) {
	for _, text := range []string{"", "devel", "git-abc", "0.20", "0.20.0-", "0.20.0 ", "0.20.0/../x", "00.1.2",
		"0.20.0-8-gabc-9-gdef", "0.20.0-rc1\n", "0.20.0-99999999999999999999-gabc"} {
		if _, ok := gotosocial.ParseVersion(text); ok {
			t.Errorf("ParseVersion(%q) is understood", text)
		}
	}
}
