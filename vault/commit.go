package vault

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"holdfast/manifest"
)

// commit puts the record, once a LIST shows everything that the record names.
func (b *backup) commit(ctx context.Context) error {
	b.cfg.Progress.begin("commit", 0, 0)
	if err := b.listAgain(ctx); err != nil {
		return err
	}
	b.continueLog()
	if err := b.checkListed(); err != nil {
		return err
	}
	b.rec.Stored, b.rec.Finished = b.ship.bytes, now()
	text, err := b.rec.Sign(b.cfg.Host)
	if err != nil {
		return err
	}
	if err := b.putRecord(ctx, text); err != nil {
		return err
	}
	b.warnOfForks()
	b.snap.Name, b.snap.Text = b.rec.Name(), text
	return b.idx.Commit(b.snap)
}

// listAgain lists the remote and reads the records of other hosts since the run
// began. If the run put nothing, the first LIST still holds.
func (b *backup) listAgain(ctx context.Context) error {
	if b.report.Packs == 0 {
		return nil
	}
	shown := func() bool { return b.repo.holds(b.rec) }
	if err := b.repo.listUntil(ctx, "", shown); err != nil {
		return err
	}
	if err := b.repo.readNew(ctx); err != nil {
		return err
	}
	if err := b.repo.buildable(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// continueLog ties the record to the log.
func (b *backup) continueLog() {
	rec := b.rec
	rec.Keys = b.repo.log.Keys()
	for _, head := range b.repo.log.Heads() {
		rec.Previous = append(rec.Previous, head.Name())
		rec.Sequence = max(rec.Sequence, min(head.Sequence+1, manifest.MaxNumber))
		for _, name := range head.Retired {
			if b.repo.listed(name) && !slices.Contains(rec.Retired, name) {
				rec.Retired = append(rec.Retired, name)
			}
		}
	}
	rec.Kept = b.repo.log.Kept()
}

// checkListed compares the record with the last LIST. A missing pack is an
// error: a snapshot needs all its packs. A missing key object is damage for the
// report.
func (b *backup) checkListed() error {
	var gone []string
	for _, k := range b.rec.Keys {
		if !b.repo.objects.has(k.Object(), k.Size) {
			gone = append(gone, k.Object())
		}
	}
	switch b.report.KeysGone = len(gone) == len(b.rec.Keys); {
	case b.report.KeysGone:
		b.report.addDamage(keysGoneFix,
			"every key object is gone from the remote or has another size (%s): nobody can open this snapshot, "+
				"or any other there", strings.Join(gone, ", "))
	case len(gone) > 0:
		b.report.addDamage("copy the key objects back from a mirror",
			"key objects that are gone from the remote or have another size: %s; "+
				"their owners can't restore, but the other owners can", strings.Join(gone, ", "))
	}
	for _, packs := range b.rec.Packs {
		for _, p := range packs {
			if !b.repo.objects.has(p.Object(), p.Size) {
				return fmt.Errorf("commit: %s was stored, and the remote does not list it at its size; "+
					"nothing was recorded, run the backup again: %w", p.Object(), ErrDamage)
			}
		}
	}
	return nil
}

// putRecord stores the signed record, and checks for it in a LIST.
func (b *backup) putRecord(ctx context.Context, text []byte) error {
	object := manifest.RecordObject(b.rec.Name())
	if err := b.repo.store.Put(ctx, object, bytes.NewReader(text), int64(len(text))); err != nil {
		return fmt.Errorf("store record: %w", err)
	}
	shown := func() bool { return b.repo.listed(b.rec.Name()) }
	if err := b.repo.listUntil(ctx, manifest.RecordObjectPrefix, shown); err != nil {
		return err
	}
	if !shown() {
		return fmt.Errorf("store record: the remote took the record and does not list it: %w", ErrDamage)
	}
	return nil
}

// warnOfForks warns of records newer than the LIST before.
func (b *backup) warnOfForks() {
	for _, name := range b.repo.recordNames() {
		if name != b.rec.Name() && b.repo.log.Record(name) == nil && b.repo.bad[name] == nil {
			b.report.Warnings = append(b.report.Warnings, fmt.Sprintf("another snapshot, %s, appeared meanwhile: "+
				"the log is forked, and the next backup joins the fork", name))
		}
	}
}
