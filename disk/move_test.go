package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
)

// The folder that a file goes into may belong to a user who lays traps there.
func TestFilesFromAnotherDiskAreWrittenThroughNoLink(t *testing.T) {
	from, err := os.MkdirTemp("/dev/shm", "holdfast-test-")
	if err != nil {
		testkit.Missing(t, "%v", err)
	}
	defer os.RemoveAll(from)
	dir := t.TempDir()
	if device(t, from) == device(t, dir) {
		testkit.Missing(t, "/dev/shm is not another disk")
	}
	victim := filepath.Join(t.TempDir(), "victim")
	places := []string{filepath.Join(dir, ".holdfast-unit"), filepath.Join(dir, ".holdfast-RUN")}
	err = errors.Join(
		os.WriteFile(victim, []byte("precious"), 0o600),
		os.Symlink(victim, places[1]),
		os.WriteFile(places[0], []byte("mine"), 0o600),
		os.WriteFile(filepath.Join(from, "unit"), []byte("new"), 0o644),
	)
	testkit.OK(t, err)
	m := &Mover{Run: "RUN"}
	testkit.OK(t, m.Move(filepath.Join(from, "unit"), filepath.Join(dir, "unit"), ""))
	texts := map[string]string{victim: "precious", places[0]: "mine", filepath.Join(dir, "unit"): "new"}
	for path, want := range texts {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if _, err := os.Lstat(places[1]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a run that was cut off left is there: %v", err)
	}
	// Nor where one comes between.
	testkit.OK(t, os.Symlink(victim, places[1]))
	place, err := os.OpenRoot(dir)
	testkit.OK(t, err)
	defer place.Close()
	err = copyFile(filepath.Join(dir, "unit"), place, filepath.Base(places[1]), -1, -1)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
}

func device(t *testing.T, path string) uint64 {
	var s unix.Stat_t
	testkit.OK(t, unix.Stat(path, &s))
	return uint64(s.Dev)
}
