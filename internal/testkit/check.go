// Package testkit holds helpers for the tests of several packages. testkit imports
// no package of Holdfast, so every test may import testkit.
package testkit

import "testing"

// OK ends the test if err is not nil.
func OK(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
