package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"holdfast/manifest"
)

// RestoreConfig chooses the files to restore. The zero value chooses all files.
type RestoreConfig struct {
	Parts []manifest.Part // none: all
	// Paths are "PART/PATH" of files, or of folders with everything below.
	Paths []string
	// Which chooses among these files; nil chooses all. The journal of a restore does not
	// remember Which: only [Snapshot.Lend] takes the field.
	Which func(*manifest.File) bool
	// Salvage restores the whole files and leaves out the damaged files. A
	// damaged database is never restored.
	Salvage  bool
	Progress *Progress
}

// parts are the parts with chosen files.
func (c RestoreConfig) parts() map[manifest.Part]bool {
	parts := map[manifest.Part]bool{}
	for _, part := range manifest.Parts {
		parts[part] = (len(c.Parts) == 0 || slices.Contains(c.Parts, part)) &&
			(len(c.Paths) == 0 || slices.ContainsFunc(c.Paths, func(p string) bool {
				return strings.HasPrefix(p+"/", string(part)+"/")
			}))
	}
	return parts
}

// RestoreReport describes a finished restore.
type RestoreReport struct {
	Files, Bytes int64
	Packs        int // fetched
	Resumed      bool
	Missing      []string // in the snapshot itself: the backup did not find them
	Mixed        []string // perhaps a mix of two states: the file changed while the backup read it
	Lost         []string // left out by Salvage
	Notes        []string // by the target
	Damage       string   // in a database that the target left as it was, or ""
}

// restore is one run.
type restore struct {
	*staging
	snap    *Snapshot
	cfg     RestoreConfig
	target  Target
	journal journal
	report  RestoreReport

	mu           sync.Mutex       // guards what follows, while workers run
	done         []uint32         // packs that the plan does not have as done yet
	damagedPacks map[uint32]error // what is wrong with each
	wrongFiles   []plannedFile    // files whose bytes the listing does not confirm
}

// Restore writes a snapshot into dir. The folder must be empty, or hold an
// interrupted run of the same restore. Restore gives files their final names
// only when every file is fetched, checked and durable.
func (s *Snapshot) Restore(ctx context.Context, dir string, target Target, cfg RestoreConfig) (*RestoreReport, error) {
	want := purpose{s.Record.Name(), cfg.Parts, cfg.Paths}
	staged, journal, err := openStaging(dir, want)
	if err != nil {
		return nil, fmt.Errorf("restore into %q: %w", dir, err)
	}
	defer staged.close()
	r := &restore{
		staging: staged, snap: s, cfg: cfg, target: target, journal: journal, damagedPacks: map[uint32]error{},
	}
	if r.report.Resumed = journal.State != unplanned; !r.report.Resumed {
		r.journal.Purpose = want
		if err := r.makePlan(ctx); err != nil {
			return nil, errors.Join(err, r.remove())
		}
	}
	if r.journal.State != complete {
		if err := r.run(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.count(); err != nil {
		return nil, err
	}
	if err := r.publish(); err != nil {
		return nil, fmt.Errorf("restore into %q: %w", dir, err)
	}
	return &r.report, nil
}

// run fills the staging folder, and has the target complete it.
func (r *restore) run(ctx context.Context) error {
	if err := r.resume(); err != nil {
		return fmt.Errorf("continue restore: %w", err)
	}
	if err := r.fetchAll(ctx); err != nil {
		return err
	}
	if err := r.leaveOutDamaged(ctx); err != nil {
		return err
	}
	r.cfg.Progress.begin("finish", 0, 0)
	notes, err := r.target.Finish(ctx, r.tree, Restored{
		Facts: r.snap.Record.Facts, Domain: r.snap.Record.Instance, Parts: r.cfg.parts(),
	})
	if err != nil {
		return fmt.Errorf("finish restore: %w", err)
	}
	r.report.Notes = append(r.journal.Checked.Notes, notes...)
	r.report.Damage = r.journal.Checked.Damage
	if err := r.sync(); err != nil {
		return err
	}
	return r.enter(complete)
}

// count fills the sums of the report.
func (r *restore) count() (err error) {
	if r.report.Files, r.report.Bytes, err = r.plan.sum(); err != nil {
		return err
	}
	r.report.Missing, r.report.Mixed = r.journal.Missing, r.journal.Mixed
	r.report.Lost = slices.Sorted(maps.Keys(r.journal.Lost))
	for _, size := range r.journal.Lost {
		r.report.Files--
		r.report.Bytes -= size
	}
	return nil
}

// fetchAll fetches the remaining packs, each once, the database's packs first.
// The target checks the database while the other packs arrive.
func (r *restore) fetchAll(ctx context.Context) error {
	todo, err := r.plan.todo()
	if err != nil {
		return err
	}
	files, bytes, err := r.plan.sum()
	if err != nil {
		return err
	}
	r.report.Packs = len(todo)
	r.cfg.Progress.begin("restore", files, bytes)
	ofDatabase := map[uint32]bool{}
	for _, p := range r.snap.Record.Packs[manifest.Database] {
		ofDatabase[p.Number] = true
	}
	others := slices.DeleteFunc(slices.Clone(todo), func(n uint32) bool { return ofDatabase[n] })
	if err := r.fetchPacks(ctx, slices.DeleteFunc(todo, func(n uint32) bool { return !ofDatabase[n] })); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	if len(r.damagedPacks) == 0 && r.cfg.parts()[manifest.Database] && r.journal.State == planned {
		g.Go(func() error { return r.checkDatabase(gctx) })
	}
	g.Go(func() error { return r.fetchPacks(gctx, others) })
	if err := g.Wait(); err != nil {
		return err
	}
	return r.completeFiles(ctx, manifest.Files, manifest.Media)
}

// fetchPacks fetches packs and writes their bytes to the files. A damaged pack does
// not stop the other packs: a person needs the whole list.
func (r *restore) fetchPacks(ctx context.Context, packs []uint32) error {
	g, gctx := errgroup.WithContext(ctx)
	queue := make(chan uint32)
	g.Go(func() error { return feed(gctx, packs, queue) })
	for range min(atOnce, len(packs)) {
		g.Go(func() error {
			u, err := newUnpacker(r)
			if err != nil {
				return err
			}
			defer u.close()
			for n := range queue {
				if err := r.notePack(n, u.unpack(gctx, n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	if markErr := r.plan.done(r.done); err == nil {
		err = markErr
	}
	r.done = nil
	return err
}

// markEvery limits the packs that an interrupted restore fetches again.
const markEvery = 8

// notePack notes the result of unpacking a pack.
func (r *restore) notePack(number uint32, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, ErrDamage) {
		r.damagedPacks[number] = err
		return nil
	}
	if errors.Is(err, errOtherBytes) { // the pack is not done: another run looks again
		return nil
	}
	if err != nil {
		return err
	}
	r.cfg.Progress.moved(r.snap.packs[number].Size)
	if r.done = append(r.done, number); len(r.done) < markEvery {
		return nil
	}
	done := r.done
	r.done = nil
	return r.plan.done(done)
}

// checkDatabase completes the files of the database, and calls the target's
// CheckDatabase.
func (r *restore) checkDatabase(ctx context.Context) (err error) {
	if err := r.completeFiles(ctx, manifest.Database); err != nil {
		return err
	}
	if r.wrongDatabase() {
		return nil // leaveOutDamaged refuses the restore
	}
	if r.journal.Target, err = r.targetID(); err != nil {
		return err
	}
	if err := r.enter(checking); err != nil {
		return err
	}
	if r.journal.Checked, err = r.target.CheckDatabase(ctx, r.tree); err != nil {
		return fmt.Errorf("check the database: %w", err)
	}
	return r.enter(checked)
}
