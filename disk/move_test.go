package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// The folder that a file goes into may belong to a user who lays traps there.
func TestFilesFromAnotherDiskAreWrittenThroughNoLink(t *testing.T) {
	from, err := os.MkdirTemp("/dev/shm", "holdfast-test-")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(from)
	dir := t.TempDir()
	if device(t, from) == device(t, dir) {
		t.Skip("/dev/shm is no other disk")
	}
	victim := filepath.Join(t.TempDir(), "victim")
	places := []string{filepath.Join(dir, ".holdfast-unit"), filepath.Join(dir, ".holdfast-RUN")}
	err = errors.Join(
		os.WriteFile(victim, []byte("precious"), 0o600),
		os.Symlink(victim, places[1]),
		os.WriteFile(places[0], []byte("mine"), 0o600),
		os.WriteFile(filepath.Join(from, "unit"), []byte("new"), 0o644),
	)
	if err != nil {
		t.Fatal(err)
	}
	m := &Mover{Run: "RUN"}
	if err := m.Move(filepath.Join(from, "unit"), filepath.Join(dir, "unit"), ""); err != nil {
		t.Fatal(err)
	}
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
	if err := os.Symlink(victim, places[1]); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(filepath.Join(dir, "unit"), places[1], -1, -1); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
}

func device(t *testing.T, path string) uint64 {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		t.Fatal(err)
	}
	return uint64(s.Dev)
}
