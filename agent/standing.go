package agent

import (
	"fmt"
	"slices"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/units"
)

// Standing is what there is to fall back on when a job fails.
type Standing struct {
	Newest   *manifest.Record // the newest snapshot, or nil
	Complete *manifest.Record // the newest snapshot without missing files, or nil
	Unasked  bool             // only this host's index was asked, and it knows no record
}

// StandingOf returns what the records, newest first, leave to fall back on.
func StandingOf(records []*manifest.Record) Standing {
	return Standing{Newest: latest(records), Complete: complete(records)}
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

// lastKnown is the standing by the records that this host remembers, for when the
// storage can't be asked.
func lastKnown(idx *index.Index) Standing {
	records := knownRecords(idx)
	s := StandingOf(records)
	s.Unasked = len(records) == 0
	return s
}

// knownRecords returns the records of the index, newest first, down to the first
// complete snapshot.
func knownRecords(idx *index.Index) []*manifest.Record {
	var records []*manifest.Record
	name, err := idx.Head()
	for err == nil && !name.IsZero() && complete(records) == nil {
		text, err := idx.Record(name)
		if err != nil {
			return records
		}
		rec, err := manifest.ParseRecord(text)
		if err != nil {
			return records
		}
		records = append(records, rec)
		if len(rec.Previous) == 0 {
			return records
		}
		name = rec.Previous[0]
	}
	return records
}

// latest returns the newest snapshot of records, newest first, or nil.
func latest(records []*manifest.Record) *manifest.Record {
	for _, rec := range records {
		if rec.Kind == manifest.KindBackup {
			return rec
		}
	}
	return nil
}

// complete returns the newest snapshot without missing files, or nil.
func complete(records []*manifest.Record) *manifest.Record {
	for _, rec := range records {
		if rec.Kind == manifest.KindBackup && rec.Missing == 0 {
			return rec
		}
	}
	return nil
}

// completeBefore returns the last snapshot before rec without missing files, or
// nil. The records come newest first.
func completeBefore(records []*manifest.Record, rec *manifest.Record) *manifest.Record {
	older := slices.IndexFunc(records, func(r *manifest.Record) bool { return r.Sequence < rec.Sequence })
	if older < 0 {
		return nil
	}
	return complete(records[older:])
}
