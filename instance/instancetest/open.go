// Package instancetest opens instances for tests, and closes them at the end.
package instancetest

import (
	"path/filepath"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/vault"
)

// Open opens the instance of the config.yaml in a folder.
func Open(t testing.TB, dir string, o instance.Options) *instance.Instance {
	t.Helper()
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	testkit.OK(t, err)
	return OpenConfig(t, c, o)
}

// OpenConfig opens the instance of a configuration.
func OpenConfig(t testing.TB, c *gotosocial.Config, o instance.Options) *instance.Instance {
	t.Helper()
	i, err := instance.Open(c, o)
	testkit.OK(t, err)
	t.Cleanup(func() { i.Close() })
	return i
}

// Begin begins a view of an instance's database.
func Begin(t testing.TB, i *instance.Instance) vault.View {
	t.Helper()
	v, err := i.Begin(t.Context())
	testkit.OK(t, err)
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Errorf("close the view: %v", err)
		}
	})
	return v
}
