package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"holdfast/manifest"
)

// DamageError lists the files that a restore could not bring back. Unwrap
// returns [ErrDamage].
type DamageError struct {
	Problems []string // damaged objects, and what is wrong with each
	Lost     []string // files that need them
	Database bool     // the database is among the files
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("restore: damaged packs: %d; files that need them: %d; %s",
		len(e.Problems), len(e.Lost), strings.Join(e.Problems, "; "))
}

// Unwrap returns [ErrDamage].
func (e *DamageError) Unwrap() error { return ErrDamage }

// leaveOutDamaged removes the files that need damaged packs, if the
// configuration asks for this. Otherwise, or if the database is damaged, the
// result is a DamageError.
func (r *restore) leaveOutDamaged() error {
	r.journal.Lost = nil
	if len(r.damaged) == 0 {
		return r.plan.save(r.journal)
	}
	var problems []string
	hurt := map[string]int64{}
	for number, damage := range r.damaged {
		problems = append(problems, damage.Error())
		if err := r.plan.addHurt(number, hurt); err != nil {
			return err
		}
	}
	slices.Sort(problems)
	database := slices.ContainsFunc(r.snap.Record.Packs[manifest.Database], func(p manifest.Pack) bool {
		return r.damaged[p.Number] != nil
	})
	if !r.cfg.Salvage || database {
		return &DamageError{Problems: problems, Lost: slices.Sorted(maps.Keys(hurt)), Database: database}
	}
	// A later run may find a damaged pack whole. The run then needs all packs
	// of these files.
	for number := range r.damaged {
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
