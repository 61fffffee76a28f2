// Package testkit holds the helpers that the tests of several packages share.
// It imports no package of Holdfast, so every test may import it.
package testkit

import "testing"

// OK ends the test if err is not nil.
func OK(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
