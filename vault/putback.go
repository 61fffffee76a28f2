package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/manifest"
)

// putBackRecords puts back records that the remote lost, from the copies of
// this host. A record is put back only if the remote still has all its packs.
// The lost record may be in the middle of the log, or at the end, where only
// the host remembers it: a remote without the end of its log looks whole.
//
// The report names every record that stays lost. While the log keeps the
// record, each report counts it as damage; otherwise only the first report.
func (u *upkeep) putBackRecords(ctx context.Context) error {
	before, err := u.idx.LostHeads()
	if err != nil {
		return err
	}
	lost, err := u.putBackEnd(ctx, before)
	if err != nil {
		return err
	}
	if err := u.putBackKept(ctx); err != nil {
		return err
	}
	for _, name := range u.repo.log.Kept() {
		if u.repo.bad[name] != nil { // the repository's warnings name the record
			u.report.Damage = true
		}
	}
	for _, err := range u.repo.bad {
		if unreadable := (*unreadableError)(nil); errors.As(err, &unreadable) { // maybe the newest record
			u.report.Damage = true
		}
	}
	if slices.Equal(lost, before) {
		return nil
	}
	return u.idx.SetLostHeads(lost)
}

// putBackEnd puts back the end of the log, and returns the records that stay lost.
// before are the records that stayed lost in earlier runs.
func (u *upkeep) putBackEnd(ctx context.Context, before []manifest.Hash) (lost []manifest.Hash, err error) {
	head, err := u.idx.Head()
	if err != nil {
		return nil, err
	}
	ended, err := u.repo.log.CutOff(head, u.repo.listed, u.idx.Record)
	if err != nil {
		return nil, err
	}
	for _, name := range ended {
		back, err := u.putBack(ctx, name)
		if err != nil {
			return nil, err
		}
		if !back {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		u.report.addDamage("ask the storage's provider who deleted objects; "+
			"you can restore the snapshots that holdfast list shows",
			"the newest record that this host knew is gone: somebody deleted the record or rolled the remote back: %s",
			listSnapshots(lost))
	}
	before = slices.DeleteFunc(slices.Clone(before), func(name manifest.Hash) bool {
		return slices.Contains(ended, name) || !u.repo.log.Lacks(name, u.repo.listed)
	})
	if len(before) > 0 {
		u.report.Warnings = append(u.report.Warnings, lostBefore(before))
	}
	return append(lost, before...), nil
}

// putBackKept puts back the records that the log keeps and the remote lost. A
// record that was put back before may keep more of them.
func (u *upkeep) putBackKept(ctx context.Context) error {
	for _, name := range u.repo.lost() {
		back, err := u.putBack(ctx, name)
		if err != nil {
			return err
		}
		if !back {
			u.report.addDamage("holdfast verify names the records: copy them back from a mirror",
				"the record of snapshot %s is gone from the remote or has another size: "+
					"that snapshot can't be restored",
				name)
		}
	}
	return nil
}

// lostBefore warns about heads that stayed lost in earlier runs.
func lostBefore(names []manifest.Hash) string {
	return "somebody deleted records of this host before its last backup, and they are still gone from the remote: " +
		listSnapshots(names)
}

// listSnapshots names the first records of a list.
func listSnapshots(names []manifest.Hash) string {
	const enough = 5
	var ids []string
	for _, name := range names[:min(enough, len(names))] {
		ids = append(ids, name.String())
	}
	text := "snapshots " + strings.Join(ids, ", ")
	if len(names) > enough {
		text += fmt.Sprintf(" and %d before", len(names)-enough)
	}
	return text
}

// putBack stores this host's copy of a record again, if the remote still has
// all packs of the record.
func (u *upkeep) putBack(ctx context.Context, name manifest.Hash) (bool, error) {
	text, err := u.idx.Record(name)
	if err != nil || text == nil {
		return false, err
	}
	rec, err := u.repo.check(name, text)
	if err != nil || !u.repo.holds(rec) {
		return false, nil
	}
	object, size := manifest.RecordObject(name), int64(len(text))
	if err := u.repo.store.Put(ctx, object, bytes.NewReader(text), size); ctx.Err() != nil {
		return false, ctx.Err()
	} else if err != nil {
		// A remote that lost the record may refuse the copy, too. The backup
		// continues.
		u.report.Warnings = append(u.report.Warnings, fmt.Sprintf("%s could not be put back: %v", object, err))
		return false, nil
	}
	u.repo.objects.set(object, size)
	if u.repo.log.Record(name) == nil {
		u.repo.accept(name, text)
	}
	u.report.addDamage(askProviderFix,
		"the record of snapshot %s was gone from the remote or had another size, and was put back "+
			"from this host's copy",
		rec.ID())
	return true, nil
}
