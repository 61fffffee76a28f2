package rebuild

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/manifest"
	"holdfast/rebuild/machine"
	"holdfast/remedy"
)

func TestStatesFollowEachOtherInOneOrder(t *testing.T) {
	want := []state{"user", "fetch", "database", "media", "files", "check", "storage", "clear"}
	if got := states(); !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if len(successors) != len(want) {
		t.Errorf("%d transitions for %d states", len(successors), len(want))
	}
	for _, from := range append(want, unbegun) {
		for _, to := range append(want, unbegun) {
			j := newJournal(Request{})
			j.State = from
			file := filepath.Join(t.TempDir(), journalName)
			err := j.enter(to, file)
			allowed := to != unbegun && slices.Index(want, from)+1 == slices.Index(want, to)
			if (err == nil) != allowed {
				t.Errorf("%q to %q: %v", from, to, err)
			}
			kept, readErr := readJournal(file)
			if readErr != nil || allowed && kept != j || !allowed && (kept != journal{} || j.State != from) {
				t.Errorf("%q to %q: kept %+v, %v", from, to, kept, readErr)
			}
		}
	}
}

// A failed write must not move the run on: the next run would leave out a step.
func TestStateStaysIfTheJournalCannotBeWritten(t *testing.T) {
	j := newJournal(Request{})
	file := filepath.Join(t.TempDir(), "missing", journalName)
	if err := j.enter(createUser, file); err == nil || j.State != unbegun {
		t.Errorf("%v, %q", err, j.State)
	}
}

func TestPlanLeavesOutTheRunsOwnWork(t *testing.T) {
	own := map[state]string{
		unbegun: "", createUser: "", fetch: "space", putDatabase: "space database", putMedia: "space database media",
		putFiles: "space database media file", check: "space database media file",
		giveStorage: "space database media file", clearUp: "space database media file",
	}
	for s, want := range own {
		j := journal{State: s}
		for _, subject := range []machine.Subject{
			machine.DomainSubject, machine.UserSubject, machine.ServerSubject, machine.DatabaseSubject,
			machine.MediaSubject, machine.FileSubject, machine.SpaceSubject,
		} {
			if j.causes(subject) != slices.Contains(strings.Fields(want), string(subject)) {
				t.Errorf("state %q, finding %q: %v", s, subject, j.causes(subject))
			}
		}
	}
}

func TestJournalOfAnotherVersionIsRefused(t *testing.T) {
	for text, kind := range map[string]remedy.Kind{
		`{"snapshot":"ab","run":"AAAA","wish":{"Database":"/db"},"begun":["user"],"done":["user"]}`: remedy.Refused,
		`{"state":"someday"}`: remedy.Refused,
	} {
		file := filepath.Join(t.TempDir(), journalName)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readJournal(file); kindOf(t, err) != kind {
			t.Errorf("%s: %v", text, err)
		}
	}
	file := filepath.Join(t.TempDir(), journalName)
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readJournal(file); err == nil {
		t.Error("half a journal was read")
	}
}

// A run marks its files and its database with a name that no other run has.
func TestRunIDIsUniqueAndLasting(t *testing.T) {
	r := Request{Snapshot: manifest.Hash{1}, Domain: "example.org"}
	first, second := newJournal(r), newJournal(r)
	if first.runID() == second.runID() {
		t.Error("two runs with one request have one name")
	}
	id := first.runID()
	file := filepath.Join(t.TempDir(), journalName)
	if err := first.enter(createUser, file); err != nil {
		t.Fatal(err)
	}
	kept, err := readJournal(file)
	if err != nil || kept.runID() != id || len(id) < 20 {
		t.Errorf("%q, %q, %v", id, kept.runID(), err)
	}
}
