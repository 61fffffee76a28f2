package agent

import (
	"fmt"

	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// Standing names the snapshots to fall back on when a job fails.
type Standing struct {
	Newest   *manifest.Record // the newest snapshot, or nil
	Complete *manifest.Record // the newest snapshot without missing files, or nil
	Unasked  bool             // only this host's index was read, and the index holds no record
}

// StandingOf finds the standing in a repository's records.
func StandingOf(records manifest.History) Standing {
	return Standing{Newest: records.Latest(), Complete: records.Complete()}
}

// String says how old the last complete snapshot is.
func (s Standing) String() string {
	switch {
	case s.Unasked:
		return "this host knows of no snapshot yet; holdfast list asks the storage"
	case s.Newest == nil:
		return "there is no complete snapshot yet"
	case s.Complete == nil:
		return fmt.Sprintf("there is no complete snapshot yet; the newest, %s, is %s old and lacks %s",
			s.Newest.ID(), units.Age(s.Newest.Time), units.Count(s.Newest.Missing, "file"))
	case s.Newest != s.Complete:
		return fmt.Sprintf("the last complete snapshot, %s, is %s old; the newest, %s, lacks %s",
			s.Complete.ID(), units.Age(s.Complete.Time), s.Newest.ID(), units.Count(s.Newest.Missing, "file"))
	}
	return fmt.Sprintf("the last complete snapshot, %s, is %s old", s.Complete.ID(), units.Age(s.Complete.Time))
}

// lastKnown finds the standing in the host's index. The storage may be unreachable.
func lastKnown(idx *index.Index) Standing {
	var records manifest.History
	if head, err := idx.Head(); err == nil && !head.IsZero() {
		records = manifest.Remembered(head, idx.Record)
	}
	s := StandingOf(records)
	s.Unasked = len(records) == 0
	return s
}
