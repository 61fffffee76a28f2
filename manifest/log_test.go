package manifest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"holdfast/seal"
)

// named is a name of letters: "a" is a00…, "ab" is aabb00….
func named(letter string) (h Hash) {
	copy(h[:], letter)
	return h
}

func namesOf(letters string) (all []Hash) {
	for _, letter := range strings.Fields(letters) {
		all = append(all, named(letter))
	}
	return all
}

func letters(names []Hash) string {
	var all []string
	for _, name := range names {
		all = append(all, strings.TrimRight(string(name[:]), "\x00"))
	}
	return strings.Join(all, " ")
}

// entry is a record as the tables write it.
type entry struct {
	name       string
	sequence   int64
	generation int
	kept       string
	retired    string
	keys       string
	missing    int64
	kind       string // "": backup
}

func (e entry) record() *Record {
	r := &Record{
		Kind: KindBackup, Sequence: e.sequence, Kept: namesOf(e.kept), Retired: namesOf(e.retired),
		Missing: e.missing, name: named(e.name),
	}
	if e.kind != "" {
		r.Kind = e.kind
	}
	r.Certificate.Generation = max(1, e.generation)
	for _, k := range namesOf(e.keys) {
		r.Keys = append(r.Keys, Key{Name: k})
	}
	return r
}

func logOf(entries []entry) *Log {
	var l Log
	for _, e := range entries {
		l.Add(e.record())
	}
	return &l
}

func recordNames(all []*Record) string {
	var names []Hash
	for _, rec := range all {
		names = append(names, rec.Name())
	}
	return letters(names)
}

func TestLogHeadsAndKeptRecords(t *testing.T) {
	chain := []entry{{name: "a"}, {name: "b", sequence: 1, kept: "a"}, {name: "c", sequence: 2, kept: "a b"}}
	after := func(more ...entry) []entry { return append(slices.Clone(chain), more...) }
	for _, c := range []struct {
		what                 string
		log                  []entry
		host                 seal.Certificate
		heads, kept, records string
	}{
		{"empty", nil, seal.Certificate{}, "", "", ""},
		{"one record", chain[:1], seal.Certificate{}, "a", "a", "a"},
		{"a chain", chain, seal.Certificate{}, "c", "a b c", "c b a"},
		{"a kept record that was not read", []entry{chain[0], chain[2]}, seal.Certificate{}, "c", "a b c", "c a"},
		{"the end is missing", chain[:2], seal.Certificate{}, "b", "a b", "b a"},
		{"a fork", after(entry{name: "d", sequence: 2, kept: "a b"}), seal.Certificate{}, "c d", "a b c d", "c d b a"},
		{"a longer fork", after(entry{name: "e", sequence: 3, kept: "a"}),
			seal.Certificate{}, "e c", "a b c e", "e c b a"},
		{"a joined fork", after(entry{name: "d", sequence: 2, kept: "a b"},
			entry{name: "e", sequence: 3, kept: "a b c d"}),
			seal.Certificate{}, "e", "a b c d e", "e c d b a"},
		{"a retired record", after(entry{name: "d", sequence: 3, kept: "a c", retired: "b"}),
			seal.Certificate{}, "d", "a c d", "d c a"},
		{"an older generation that went on", after(entry{name: "d", sequence: 2, generation: 2, kept: "a b"}),
			seal.Certificate{}, "d", "a b d", "d b a"},
		{"an older generation can't retire a newer one", []entry{
			chain[0],
			{name: "b", sequence: 1, generation: 2, kept: "a"},
			{name: "c", sequence: 2, kept: "a", retired: "b"},
		}, seal.Certificate{}, "b", "a b", "b a"},
		{"a host that takes over", chain, seal.Certificate{Generation: 2, After: named("b").Hex()}, "b", "a b", "b a"},
		{"a host whose record is gone", chain, seal.Certificate{Generation: 2, After: named("x").Hex()}, "", "", ""},
	} {
		l := logOf(c.log)
		l.Continue(c.host)
		if got := recordNames(l.Heads()); got != c.heads {
			t.Errorf("%s: heads %q, want %q", c.what, got, c.heads)
		}
		if got := letters(l.Kept()); got != c.kept {
			t.Errorf("%s: kept %q, want %q", c.what, got, c.kept)
		}
		if got := recordNames(l.Records()); got != c.records {
			t.Errorf("%s: records %q, want %q", c.what, got, c.records)
		}
		if head := l.Head(); (head == nil) != (c.heads == "") {
			t.Errorf("%s: head %v", c.what, head)
		}
	}
}

func TestLogKeysSurviveAHeadThatLeavesThemOut(t *testing.T) {
	l := logOf([]entry{{name: "a", keys: "k l"}, {name: "b", sequence: 1, kept: "a", keys: "m"}})
	var names []Hash
	for _, k := range l.Keys() {
		names = append(names, k.Name)
	}
	if got := letters(names); got != "m k l" {
		t.Errorf("keys %q", got)
	}
}

func TestLogKnowsWhatWasTakenAway(t *testing.T) {
	l := logOf([]entry{{name: "a"}, {name: "b", sequence: 1, kept: "a", retired: "r"}})
	listed := func(name Hash) bool { return name == named("a") || name == named("b") || name == named("u") }
	for name, want := range map[string]bool{"": false, "a": false, "b": false, "r": false, "u": false, "c": true} {
		if got := l.Lacks(named(name), listed); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	none := func(Hash) ([]byte, error) { return nil, nil }
	for head, want := range map[string]string{"": "", "b": "", "c": "c"} {
		if got, err := l.CutOff(named(head), listed, none); letters(got) != want || err != nil {
			t.Errorf("%q: cut off %q, %v", head, letters(got), err)
		}
	}
	broken := errors.New("broken")
	failing := func(Hash) ([]byte, error) { return nil, broken }
	if _, err := l.CutOff(named("c"), listed, failing); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestHistoryFindsSnapshots(t *testing.T) {
	for _, c := range []struct {
		what                     string
		log                      []entry
		latest, complete, before string // before the record named "c"
	}{
		{"empty", nil, "", "", ""},
		{"an init record alone", []entry{{name: "a", kind: KindInit}}, "", "", ""},
		{"incomplete ones", []entry{
			{name: "b", sequence: 2, missing: 1}, {name: "a", sequence: 1, missing: 3},
		}, "b", "", ""},
		{"the newest is incomplete", []entry{
			{name: "c", sequence: 3, missing: 1}, {name: "b", sequence: 2}, {name: "a", sequence: 1},
		}, "c", "b", "b"},
		{"a retire record on top", []entry{
			{name: "d", sequence: 4, kind: KindRetire}, {name: "c", sequence: 3}, {name: "a", sequence: 1},
		}, "c", "c", "a"},
		{"a fork beside it", []entry{
			{name: "c", sequence: 3, missing: 1}, {name: "d", sequence: 3}, {name: "a", sequence: 1},
		}, "c", "d", "a"},
	} {
		var h History
		for _, e := range c.log {
			h = append(h, e.record())
		}
		name := func(rec *Record) string {
			if rec == nil {
				return ""
			}
			return recordNames([]*Record{rec})
		}
		if got := name(h.Latest()); got != c.latest {
			t.Errorf("%s: latest %q", c.what, got)
		}
		if got := name(h.Complete()); got != c.complete {
			t.Errorf("%s: complete %q", c.what, got)
		}
		if got := name(h.CompleteBefore(entry{name: "c", sequence: 3}.record())); got != c.before {
			t.Errorf("%s: complete before c %q", c.what, got)
		}
	}
}
