package manifest

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"slices"

	"holdfast/seal"
)

// Log is the set of those records of one repository that were read and count. Log
// says what the records mean together. The zero Log is empty and ready. A Log
// reads nothing itself, and is not for concurrent use.
type Log struct {
	records map[Hash]*Record
	host    seal.Certificate
}

// Add adds a record that was signed or parsed.
func (l *Log) Add(rec *Record) {
	if l.records == nil {
		l.records = map[Hash]*Record{}
	}
	l.records[rec.Name()] = rec
}

// Record returns a record that was added, or nil.
func (l *Log) Record(name Hash) *Record { return l.records[name] }

// Len returns the number of records that were added.
func (l *Log) Len() int { return len(l.records) }

// Continue tells the log which host is about to add a record. Heads of older
// generations no longer count then. The first record of a new generation
// continues the record that the host's certificate names, whatever the earlier
// host signed since.
func (l *Log) Continue(host seal.Certificate) { l.host = host }

// Heads returns the records that no other record continues, the best first: the
// highest sequence, then the lowest name. More than one head is a fork. A record
// of an older generation of the host's key is never a head: such a record counts
// only if a record of a newer generation keeps it. Heads is empty if the
// log is empty, or if the log lacks the record after which the host of Continue takes
// over.
func (l *Log) Heads() []*Record {
	generation := l.host.Generation
	for _, rec := range l.records {
		generation = max(generation, rec.Certificate.Generation)
	}
	var heads []*Record
	for _, rec := range l.records {
		if rec.Certificate.Generation == generation && !l.superseded(rec) {
			heads = append(heads, rec)
		}
	}
	if len(heads) == 0 {
		for _, rec := range l.records {
			if rec.Name().Hex() == l.host.After {
				heads = append(heads, rec)
			}
		}
	}
	slices.SortFunc(heads, newestFirst)
	return heads
}

// superseded reports whether a record of the same or a newer generation keeps or
// retires a record.
func (l *Log) superseded(old *Record) bool {
	for _, rec := range l.records {
		if rec.Certificate.Generation >= old.Certificate.Generation && rec.mentions(old.Name()) {
			return true
		}
	}
	return false
}

func (r *Record) mentions(name Hash) bool {
	return slices.Contains(r.Kept, name) || slices.Contains(r.Retired, name)
}

func newestFirst(a, b *Record) int {
	return cmp.Or(cmp.Compare(b.Sequence, a.Sequence), bytes.Compare(a.name[:], b.name[:]))
}

// Head returns the best head, or nil.
func (l *Log) Head() *Record {
	heads := l.Heads()
	if len(heads) == 0 {
		return nil
	}
	return heads[0]
}

// Mentions reports whether any record keeps or retires a record.
func (l *Log) Mentions(name Hash) bool {
	for _, rec := range l.records {
		if rec.mentions(name) {
			return true
		}
	}
	return false
}

// Kept returns the names of the heads and of all records that the heads keep,
// sorted. Some of these records may never have been added.
func (l *Log) Kept() []Hash {
	kept := map[Hash]bool{}
	for _, head := range l.Heads() {
		kept[head.Name()] = true
		for _, name := range head.Kept {
			kept[name] = true
		}
	}
	return slices.SortedFunc(maps.Keys(kept), func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
}

// Records returns those kept records that were added, newest first. A head is newer
// than other records of its sequence: sequences may end at [MaxNumber].
func (l *Log) Records() History {
	all := History(l.Heads())
	heads := len(all)
	for _, name := range l.Kept() {
		if rec := l.records[name]; rec != nil && !slices.Contains(all[:heads], rec) {
			all = append(all, rec)
		}
	}
	slices.SortStableFunc(all, func(a, b *Record) int { return cmp.Compare(b.Sequence, a.Sequence) })
	return all
}

// Keys returns the key objects of the head, then those that only other records
// name: a thief of the host's key can sign a record that leaves key objects out.
func (l *Log) Keys() []Key {
	keys := slices.Clone(l.Head().Keys)
	for _, rec := range slices.SortedFunc(maps.Values(l.records), newestFirst) {
		for _, k := range rec.Keys {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// Lacks reports whether a record was taken away: listed does not know the record,
// and no record keeps or retires it. The zero name is never lacking.
func (l *Log) Lacks(name Hash, listed func(Hash) bool) bool {
	return !name.IsZero() && !listed(name) && !l.Mentions(name)
}

// CutOff returns the records that were taken away from the end of the log, newest
// first. head is the newest record that this host knew. read returns the bytes of
// a record that this host remembers, or nil.
func (l *Log) CutOff(head Hash, listed func(Hash) bool, read func(Hash) ([]byte, error)) (names []Hash, err error) {
	for a, err := range ancestors(head, read) {
		if err != nil {
			return nil, err
		}
		if !l.Lacks(a.name, listed) {
			break
		}
		names = append(names, a.name)
	}
	return names, nil
}

// ancestor is a record on the way back from the head. record is nil if nobody
// remembers the record.
type ancestor struct {
	name   Hash
	record *Record
}

// ancestors yields a record, the first record before it, and so on, as far as read
// knows them.
func ancestors(name Hash, read func(Hash) ([]byte, error)) iter.Seq2[ancestor, error] {
	return func(yield func(ancestor, error) bool) {
		for !name.IsZero() {
			text, err := read(name)
			if err != nil {
				yield(ancestor{}, err)
				return
			}
			rec, err := ParseRecord(text)
			if err != nil {
				rec = nil
			}
			if !yield(ancestor{name, rec}, nil) || rec == nil || len(rec.Previous) == 0 {
				return
			}
			name = rec.Previous[0]
		}
	}
}

// History is records of one repository, newest first.
type History []*Record

// Latest returns the newest snapshot, or nil.
func (h History) Latest() *Record { return h.first(func(*Record) bool { return true }) }

// Complete returns the newest snapshot that misses no file, or nil.
func (h History) Complete() *Record { return h.first(func(r *Record) bool { return r.Missing == 0 }) }

// CompleteBefore returns the newest snapshot before rec that misses no file, or
// nil.
func (h History) CompleteBefore(rec *Record) *Record {
	return h.first(func(r *Record) bool { return r.Missing == 0 && r.Sequence < rec.Sequence })
}

// first returns the newest snapshot with a property, or nil.
func (h History) first(has func(*Record) bool) *Record {
	for _, rec := range h {
		if rec.Kind == KindBackup && has(rec) {
			return rec
		}
	}
	return nil
}

// Remembered returns the records from head back to the first complete snapshot, as
// far as read knows them. A person can rely on these snapshots if the remote does
// not answer.
func Remembered(head Hash, read func(Hash) ([]byte, error)) (h History) {
	for a, err := range ancestors(head, read) {
		if err != nil || a.record == nil {
			return h
		}
		if h = append(h, a.record); h.Complete() != nil {
			return h
		}
	}
	return h
}
