package agent

import (
	"strings"
	"testing"
	"time"

	"holdfast/manifest"
)

func TestStandingNamesTheLastCompleteSnapshot(t *testing.T) {
	record := func(sequence, missing int64) *manifest.Record {
		return &manifest.Record{Kind: manifest.KindBackup, Sequence: sequence, Missing: missing,
			Time: time.Now().Add(-26 * time.Hour)}
	}
	incomplete, complete := record(2, 3), record(1, 0)
	for _, c := range []struct {
		records []*manifest.Record
		want    string
	}{
		{nil, "there is no complete snapshot yet"},
		{[]*manifest.Record{{Kind: "init"}}, "there is no complete snapshot yet"},
		{[]*manifest.Record{incomplete},
			"there is no complete snapshot yet; the newest, NEW, is 26 h old and lacks 3 files"},
		{[]*manifest.Record{incomplete, complete},
			"the last complete snapshot, OLD, is 26 h old; the newest, NEW, lacks 3 files"},
		{[]*manifest.Record{complete}, "the last complete snapshot, OLD, is 26 h old"},
	} {
		want := strings.NewReplacer("NEW", incomplete.ID(), "OLD", complete.ID()).Replace(c.want)
		if got := StandingOf(c.records).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
