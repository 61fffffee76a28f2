package rebuild

import (
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/rebuild/machine"
	"holdfast/remedy"
)

var example = Request{
	Snapshot: manifest.Hash{1}, Domain: "example.org", Database: "/srv/sqlite.db", Media: "/srv/storage",
	Config: "/srv/config.yaml", User: "gts:gts",
}

// changes are requests that differ from the example in one field.
var changes = map[string]func(*Request){
	"snapshot":      func(r *Request) { r.Snapshot[31] = 1 },
	"domain":        func(r *Request) { r.Domain = "other.example" },
	"database":      func(r *Request) { r.Database = "/other.db" },
	"media":         func(r *Request) { r.Media = "/other" },
	"configuration": func(r *Request) { r.Config = "/other.yaml" },
	"user":          func(r *Request) { r.User = "gts:" },
	"paths":         func(r *Request) { r.Paths = "/a=/b" },
	"parts":         func(r *Request) { r.Parts = "media" },
	"verbatim":      func(r *Request) { r.Verbatim = true },
}

func TestRequestSurvivesTheJournal(t *testing.T) {
	variables := []string{"GTS_DB_TYPE=sqlite", "GTS_DB_ADDRESS=/db/\xff", "GTS_STORAGE_LOCAL_BASE_PATH=/m"}
	c, err := gotosocial.Load("", variables)
	testkit.OK(t, err)
	m := &machine.Machine{Config: c, Moved: []machine.MovedFolder{{Theirs: "/a", New: "/\xfe"}}}
	c.File = "/\xff.yaml"
	j := newJournal(newRequest(m, manifest.Hash{1}))
	file := filepath.Join(t.TempDir(), journalName)
	testkit.OK(t, j.enter(createUser, file))
	if kept, err := readJournal(file); err != nil || kept != j {
		t.Errorf("%+v, %v, want %+v", kept, err, j)
	}
}

func TestEachFieldTellsRequestsApart(t *testing.T) {
	ids := map[string]string{example.ID(): "none"}
	for field, change := range changes {
		other := example
		change(&other)
		if same, known := ids[other.ID()]; known {
			t.Errorf("requests that differ in %s and %s have one ID", field, same)
		}
		ids[other.ID()] = field
		if got := example.difference(other); !strings.HasPrefix(got, field+" was ") || strings.Contains(got, ";") {
			t.Errorf("%s: %s", field, got)
		}
	}
	if equal := example; equal.ID() != example.ID() || example.difference(equal) != "" {
		t.Error("equal requests differ")
	}
}

func TestRunContinuesOnlyItsOwnRequest(t *testing.T) {
	for field, change := range changes {
		for _, resume := range []bool{true, false} {
			r := &Rebuild{
				request: example, options: Options{Resume: resume}, work: &workFolder{path: "/work"},
				machine: new(machine.Machine),
			}
			other := newJournal(example)
			change(&other.Request)
			err := r.checkJournal(other)
			differs := resume && field != "snapshot"
			if !remedy.Is(err, remedy.Refused) || strings.Contains(err.Error(), "other things") != differs {
				t.Errorf("%s, resume %v: %v", field, resume, err)
			}
			same := r.checkJournal(newJournal(example))
			if (same == nil) != resume {
				t.Errorf("the same request, resume %v: %v", resume, same)
			}
		}
	}
}
