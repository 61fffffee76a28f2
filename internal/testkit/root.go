package testkit

import (
	"os"
	"testing"
)

// OpenRoot opens a folder for the length of the test.
func OpenRoot(t testing.TB, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	OK(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}
