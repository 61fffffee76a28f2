package vault

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"holdfast/manifest"
	"holdfast/remote"
)

// putBackRecords looks after records that the remote lost: those that the log keeps, and
// those that only this host remembers, since a remote without its end looks
// whole. Where all packs of such a record are still there, the host's copy of it
// is put back. What is gone for good is told in each run: with damage as long as
// the log keeps it, else the first time.
func (b *backup) putBackRecords(ctx context.Context) error {
	gone, err := b.idx.Gone()
	if err != nil {
		return err
	}
	head, err := b.idx.Head()
	if err != nil {
		return err
	}
	ended, err := b.repo.log.CutOff(head, b.repo.listed, b.idx.Record)
	if err != nil {
		return err
	}
	var rolledBack, before []manifest.Hash
	for _, name := range ended {
		back, err := b.putBack(ctx, name)
		if err != nil {
			return err
		}
		if !back {
			rolledBack = append(rolledBack, name)
		}
	}
	if len(rolledBack) > 0 {
		b.damage("ask the storage's provider who deleted objects; what holdfast list shows can be restored",
			"the newest that this host knew is gone from the remote: somebody deleted it or rolled the remote back: %s", some(rolledBack))
	}
	for _, name := range gone {
		if b.repo.log.Lacks(name, b.repo.listed) && !slices.Contains(ended, name) {
			before = append(before, name)
		}
	}
	if len(before) > 0 {
		b.report.Warnings = append(b.report.Warnings, stillGone(before))
	}
	// One that was put back may keep others that are gone.
	for _, name := range b.repo.lost() {
		back, err := b.putBack(ctx, name)
		if err != nil {
			return err
		}
		if !back {
			b.damage("holdfast verify names the records: copy them back from a mirror",
				"the record of snapshot %s is gone from the remote or has another size: that snapshot can't be restored", name)
		}
	}
	for _, name := range b.repo.log.Kept() {
		if b.repo.bad[name] != nil { // it is among the repository's warnings
			b.report.Damage = true
		}
	}
	if still := slices.Concat(rolledBack, before); !slices.Equal(still, gone) {
		return b.idx.SetGone(still)
	}
	return nil
}

func stillGone(names []manifest.Hash) string {
	return "what this host stored, and somebody deleted before its last backup, is still gone from the remote: " + some(names)
}

// some names records, newest first, but not too many.
func some(names []manifest.Hash) string {
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

// putBack stores this host's copy of a record again, if it has one and the
// remote holds the packs. A snapshot that can't be restored is not made anew.
func (b *backup) putBack(ctx context.Context, name manifest.Hash) (bool, error) {
	text, err := b.idx.Record(name)
	if err != nil || text == nil {
		return false, err
	}
	rec, err := b.repo.check(name, text)
	if err != nil || !b.repo.holds(rec) {
		return false, nil
	}
	object, size := manifest.RecordObject(name), int64(len(text))
	if err := b.repo.store.Put(ctx, object, bytes.NewReader(text), size); ctx.Err() != nil {
		return false, ctx.Err()
	} else if err != nil {
		// A place that rotted may not take it either. That must not cost the night.
		b.report.Warnings = append(b.report.Warnings, fmt.Sprintf("%s could not be put back: %v", object, err))
		return false, nil
	}
	b.repo.objects[object] = remote.Object{Name: object, Size: size}
	if b.repo.log.Record(name) == nil {
		b.repo.accept(name, text)
	}
	b.damage("ask the storage's provider who deleted or changed objects; holdfast verify --data all checks all others",
		"the record of snapshot %s was gone from the remote or had another size, and was put back from this host's copy", rec.ID())
	return true, nil
}
