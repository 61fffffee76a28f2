package vault

import (
	"context"
	"errors"
	"slices"
	"strings"

	"holdfast/manifest"
)

// Problem is damage to one object, and the way to mend it.
type Problem struct {
	Object string // "packs/…"
	What   string
	Hurts  []string // IDs of the snapshots that need the object, newest first
	Fix    string
}

// finding is damage to an object, as verify found it.
type finding struct {
	what       string
	unreadable bool // the remote lists the object and does not give its bytes
	remembered bool // a record at the end of the log, by the memory of this host
	expected   bool // a record at the end of the log, by the caller
}

// damageKind is a kind of damage.
type damageKind int

const (
	packDamage       damageKind = iota
	keyDamage                   // other key objects are whole
	lastKeyDamage               // no key object is whole
	recordDamage                // of a kept record
	rememberedEnd               // a record that this host knew at the end of the log is gone
	expectedEnd                 // a record that the caller expected at the end of the log is gone
	unreadableRecord            // no record mentions the object
	strangeRecord               // an object that is no record of the repository
)

// advice says how to mend each kind of damage.
var advice = map[damageKind]string{
	packDamage: "copy the object back from a mirror; or delete the object, if it exists, and run holdfast backup, " +
		"which stores again everything that the instance still has",
	keyDamage: ownKeysFix + "; else copy the object back from a mirror: without the object its owner can't restore, " +
		"but the other owners can",
	lastKeyDamage: ownKeysFix + "; else " + keysGoneFix,
	recordDamage:  "copy the object back from a mirror; other snapshots are not affected",
	rememberedEnd: "ask the storage's provider who deleted objects; holdfast backup puts the record back " +
		"if the record's packs still exist; you can restore the snapshots that holdfast list shows",
	expectedEnd: "find out from the provider's log who deleted or replaced objects; " +
		"you can restore the snapshots that holdfast list shows",
	unreadableRecord: "copy the object back from a mirror; without a mirror, delete the object: " +
		"the object may be a snapshot; the next backup does not need the object",
	strangeRecord: "no snapshot of this repository needs the object: find out who put it there, then delete it",
}

// unreadableFix comes before the advice about an unreadable object.
const unreadableFix = "find out why the storage can't read the object (log, disk, the file's user); " +
	"if the object is lost, "

// kind returns the kind of damage to an object.
func (v *verify) kind(object string, f finding) damageKind {
	prefix, name, _ := manifest.ParseObject(object)
	switch {
	case f.remembered:
		return rememberedEnd
	case f.expected:
		return expectedEnd
	case prefix == manifest.PackObjectPrefix:
		return packDamage
	case prefix == manifest.KeyObjectPrefix && v.report.KeysGone:
		return lastKeyDamage
	case prefix == manifest.KeyObjectPrefix:
		return keyDamage
	case slices.Contains(v.repo.log.Kept(), name):
		return recordDamage
	case f.unreadable:
		return unreadableRecord
	}
	return strangeRecord
}

// explain fills the report's problems.
func (v *verify) explain(ctx context.Context) error {
	if len(v.findings) == 0 {
		return nil
	}
	hurts, err := v.hurts(ctx)
	if err != nil {
		return err
	}
	v.report.KeysGone = !slices.ContainsFunc(v.repo.log.Keys(), func(k manifest.Key) bool {
		return v.findings[k.Object()].what == ""
	})
	for object, f := range v.findings {
		kind := v.kind(object, f)
		p := Problem{Object: object, What: f.what, Hurts: hurts[object], Fix: advice[kind]}
		if kind == recordDamage || kind == rememberedEnd {
			_, name, _ := manifest.ParseObject(object)
			p.Hurts = append(p.Hurts, name.String())
		}
		if f.unreadable {
			p.Fix = unreadableFix + p.Fix
		}
		v.report.Problems = append(v.report.Problems, p)
	}
	slices.SortFunc(v.report.Problems, func(a, b Problem) int { return strings.Compare(a.Object, b.Object) })
	return nil
}

// hurts returns the IDs of the snapshots that need each damaged object, newest
// first.
func (v *verify) hurts(ctx context.Context) (map[string][]string, error) {
	hurts := map[string][]string{}
	for _, rec := range v.records {
		whole, err := v.repo.Load(ctx, rec)
		if errors.Is(err, ErrDamage) {
			continue // the record went away since the LIST: the next run reports it
		}
		if err != nil {
			return nil, err
		}
		for _, k := range rec.Keys {
			hurts[k.Object()] = append(hurts[k.Object()], rec.ID())
		}
		for _, packs := range whole.Packs {
			for _, p := range packs {
				if v.findings[p.Object()].what != "" {
					hurts[p.Object()] = append(hurts[p.Object()], rec.ID())
				}
			}
		}
	}
	return hurts, nil
}
