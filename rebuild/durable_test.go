package rebuild

import (
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
)

// A resumed run repeats only the step of the journal, and deletes the fetched rest.
func TestJournalIsNeverAheadOfAStep(t *testing.T) {
	dir := t.TempDir()
	power := testkit.MountImage(t, dir)
	testkit.OK(t, os.Mkdir(filepath.Join(dir, "work"), 0o700))
	j := newJournal(Request{})
	testkit.Write(t, filepath.Join(dir, "put"), "by the step")
	testkit.OK(t, j.enter(createUser, filepath.Join(dir, "work", journalName)))
	after := power.Survivors(t)
	if kept, err := readJournal(filepath.Join(after, "work", journalName)); err != nil || kept.State != createUser {
		t.Fatalf("%q, %v", kept.State, err)
	}
	if got, err := os.ReadFile(filepath.Join(after, "put")); err != nil || string(got) != "by the step" {
		t.Errorf("%q, %v", got, err)
	}
}
