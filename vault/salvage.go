package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"holdfast/manifest"
	"holdfast/remedy"
)

// leaveOutDamaged removes damaged files and the files that need damaged packs, if the
// configuration asks for this. Otherwise, or if the database is damaged, the
// result is a [remedy.DamageError] with the cause [ErrDamage].
func (r *restore) leaveOutDamaged(ctx context.Context) error {
	r.journal.Lost = nil
	if len(r.damagedPacks) == 0 && len(r.wrongFiles) == 0 {
		return r.plan.save(r.journal)
	}
	var problems []string
	hurt := map[string]int64{}
	for number, damage := range r.damagedPacks {
		problems = append(problems, damage.Error())
		if err := r.plan.addHurt(number, hurt); err != nil {
			return err
		}
	}
	for _, f := range r.wrongFiles {
		if _, known := hurt[f.path]; !known { // a damaged pack explains the wrong bytes
			hurt[f.path] = f.size
			problems = append(problems, fmt.Sprintf("%s: its bytes don't have the SHA-256 of the listing", f.path))
		}
	}
	slices.Sort(problems)
	database := r.wrongDatabase()
	for _, p := range r.snap.Record.Packs[manifest.Database] {
		database = database || r.damagedPacks[p.Number] != nil
	}
	if !r.cfg.Salvage || database {
		lost := slices.Sorted(maps.Keys(hurt))
		return &remedy.DamageError{
			What: fmt.Sprintf("restore: damaged packs and files: %d; files that can't be restored: %d", len(problems),
				len(lost)),
			Findings: problems, Lost: lost, Database: database, Whole: r.newestWhole(ctx), Err: ErrDamage,
		}
	}
	// A later run may find a damaged pack whole. The run then needs all packs
	// of these files.
	for number := range r.damagedPacks {
		if err := r.plan.refetchWith(number); err != nil {
			return err
		}
	}
	for path := range hurt {
		if err := r.tree.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("leave out %q: %w", path, err)
		}
	}
	r.journal.Lost = hurt
	return r.plan.save(r.journal)
}

// newestWhole returns the ID of the newest other snapshot whose packs all lie in the
// remote at their sizes, apart from the packs that this run found damaged. Without such a
// snapshot newestWhole returns "".
func (r *restore) newestWhole(ctx context.Context) string {
	damaged := map[manifest.Hash]bool{}
	for number := range r.damagedPacks {
		damaged[r.snap.packs[number].Name] = true
	}
	isDamaged := func(p manifest.Pack) bool { return damaged[p.Name] }
	for _, rec := range r.snap.repo.Records() {
		if rec.Kind != manifest.KindBackup || rec.Name() == r.snap.Record.Name() {
			continue
		}
		rec, err := r.snap.repo.Load(ctx, rec)
		if err != nil || !r.snap.repo.holds(rec) {
			continue
		}
		if !slices.ContainsFunc(slices.Collect(maps.Values(rec.Inventory())), isDamaged) {
			return rec.ID()
		}
	}
	return ""
}
