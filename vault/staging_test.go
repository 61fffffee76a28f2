package vault_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/vault"
)

// A restore continues the work in its staging folder without reading the bytes again.
// Another user who can change the folder could plant any file.
func TestRestoreBelievesNoFolderOfAnotherUser(t *testing.T) {
	testkit.NeedsRoot(t)
	f := newFake(20)
	for i := range 40 { // each worker fills more than the first 5 MiB of a pack
		f.add(fmt.Sprintf("01A/attachment/original/M%03d.jpeg", i), noise(uint64(i), 300_000))
	}
	w := newWorld(t, f)
	report, err := w.backupOf(f, vault.BackupConfig{})
	testkit.OK(t, err)
	give := func(path string) error { return os.Lchown(path, testkit.Nobody, testkit.Nobody) }
	for name, change := range map[string]func(dir, staging string) error{
		"":                          func(_, _ string) error { return nil },
		"the folder's user":         func(dir, _ string) error { return give(dir) },
		"the folder's mode":         func(dir, _ string) error { return os.Chmod(dir, 0o777) },
		"a parent's user":           func(dir, _ string) error { return give(filepath.Dir(dir)) },
		"a parent's mode":           func(dir, _ string) error { return os.Chmod(filepath.Dir(dir), 0o777) },
		"the staging folder's user": func(_, staging string) error { return give(staging) },
		"the staging folder's mode": func(_, staging string) error { return os.Chmod(staging, 0o750) },
		"the plan's user":           func(_, staging string) error { return give(staging + "/plan.db") },
		"the tree's user":           func(_, staging string) error { return give(staging + "/tree") },
		"a link to the staging folder": func(dir, staging string) error {
			return errors.Join(os.Rename(staging, filepath.Dir(dir)+"/moved"), os.Symlink("../moved", staging))
		},
		"a link to the tree": func(dir, staging string) error {
			return errors.Join(os.Rename(staging+"/tree", filepath.Dir(dir)+"/moved"),
				os.Symlink("../../moved", staging+"/tree"))
		},
	} {
		dir := filepath.Join(t.TempDir(), "parent", "out")
		w.stopAmidMedia(report.Record, dir, folder{})
		testkit.OK(t, change(dir, filepath.Join(dir, ".holdfast-restore")))
		before := testkit.Names(t, dir)
		done, err := w.restore("latest", dir, vault.RestoreConfig{})
		if name == "" {
			testkit.OK(t, err)
			if !done.Resumed {
				t.Error("nothing was continued: this test shows nothing")
			}
			continue
		}
		if !errors.Is(err, vault.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if after := testkit.Names(t, dir); len(after) != len(before) {
			t.Errorf("%s: the folder holds %v", name, after)
		}
	}
}
