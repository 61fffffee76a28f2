package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"holdfast/manifest"
	"holdfast/manifest/index"
)

// RestoreConfig is what to restore. The zero value is everything.
type RestoreConfig struct {
	Parts []manifest.Part // none: all
	// Paths are "PART/PATH" of files, or of folders with everything below.
	Paths []string
	// Salvage restores what is whole where packs are damaged, and leaves out
	// the files that are not. A damaged database is never restored.
	Salvage  bool
	Progress *Progress
}

// chosen reports whether a file is to be restored.
func (c RestoreConfig) chosen(f *manifest.File) bool {
	if len(c.Parts) > 0 && !slices.Contains(c.Parts, f.Part) {
		return false
	}
	if len(c.Paths) == 0 {
		return true
	}
	name := string(f.Part) + "/" + f.Path
	for _, p := range c.Paths {
		if p = strings.TrimSuffix(p, "/"); name == p || strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}

// parts are the parts of which something is chosen.
func (c RestoreConfig) parts() map[manifest.Part]bool {
	parts := map[manifest.Part]bool{}
	for _, part := range manifest.Parts {
		parts[part] = (len(c.Parts) == 0 || slices.Contains(c.Parts, part)) &&
			(len(c.Paths) == 0 || slices.ContainsFunc(c.Paths, func(p string) bool { return strings.HasPrefix(p+"/", string(part)+"/") }))
	}
	return parts
}

// RestoreReport is what a restore did.
type RestoreReport struct {
	Files, Bytes int64
	Packs        int // fetched
	Resumed      bool
	Missing      []string // in the snapshot itself: the backup did not find them
	Lost         []string // left out by Salvage
	Notes        []string // by the target
}

// The staging folder lies inside the target, so that renaming is enough. Its
// name is never that of an instance's file.
const (
	staging = ".holdfast-restore"
	tree    = "tree"
)

// restore is one run.
type restore struct {
	snap   *Snapshot
	cfg    RestoreConfig
	target Target
	root   *os.Root // of the target folder
	lock   *os.File // the staging folder
	tree   *os.Root // of the staged files
	plan   *index.Plan
	report RestoreReport

	mu      sync.Mutex // guards what follows
	done    []uint32
	damaged map[uint32]error
}

// Restore writes a snapshot into dir, which must be empty, or hold what an
// earlier run of the same restore left. Nothing stands under its final name
// before everything was fetched, checked and made durable.
func (s *Snapshot) Restore(ctx context.Context, dir string, target Target, cfg RestoreConfig) (_ *RestoreReport, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	r := &restore{snap: s, cfg: cfg, target: target, damaged: map[uint32]error{}}
	if r.root, err = os.OpenRoot(dir); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	defer r.close()
	if err := r.prepare(dir); err != nil {
		return nil, err
	}
	finished, err := r.plan.Fact("finished")
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if finished == "" {
		if err := r.run(ctx); err != nil {
			return nil, err
		}
	} else if err := r.recount(); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if err := r.publish(); err != nil {
		return nil, err
	}
	return &r.report, nil
}

// close lets go of what prepare opened, the lock last.
func (r *restore) close() {
	if r.plan != nil {
		r.plan.Close()
	}
	if r.tree != nil {
		r.tree.Close()
	}
	if r.lock != nil {
		r.lock.Close()
	}
	r.root.Close()
}

// prepare makes or finds the staging folder, and locks it.
func (r *restore) prepare(dir string) error {
	entries, err := fs.ReadDir(r.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	// A fresh file system has it, and no person put it there.
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "lost+found" })
	staged := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == staging })
	if len(entries) > 0 && !staged {
		return fmt.Errorf("restore into %q: it is not empty (%s is there); choose a folder that is empty or does not exist: %w", dir, entries[0].Name(), ErrRefused)
	}
	if info, err := r.root.Lstat(staging); err == nil && !info.IsDir() {
		return fmt.Errorf("restore into %q: %s is no folder: %w", dir, staging, ErrRefused)
	}
	if err := r.root.MkdirAll(staging+"/"+tree, 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if r.lock, err = r.root.Open(staging); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := unix.Flock(int(r.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("restore into %q: %w", dir, ErrBusy)
	}
	if r.tree, err = r.root.OpenRoot(staging + "/" + tree); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if r.plan, err = index.OpenPlan(filepath.Join(dir, staging)); err != nil {
		if !staged { // what was fetched is kept, and nothing was
			err = errors.Join(err, r.root.RemoveAll(staging))
		}
		return err
	}
	want := r.purpose().String()
	have, err := r.plan.Fact("purpose")
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	finished, err := r.plan.Fact("finished")
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	left, err := fs.ReadDir(r.tree.FS(), ".")
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	switch {
	case have == "" && len(entries) > 1 && len(left) > 0:
		return fmt.Errorf("restore into %q: a restore by another version of Holdfast was left unfinished there; choose another folder, or delete the folder: %w", dir, ErrRefused)
	case have != "" && have != want:
		return fmt.Errorf("restore into %q: a restore of %s was left unfinished there; finish that one, choose another folder, or delete the folder: %w", dir, describePurpose(have), ErrRefused)
	case have == "" && len(entries) > 1:
		// A restore was through and was killed while it cleared up.
		return errors.Join(r.clear(), fmt.Errorf("restore into %q: it is not empty; choose a folder that is empty or does not exist: %w", dir, ErrRefused))
	case finished == "" && len(entries) > 1:
		return fmt.Errorf("restore into %q: it is not empty; choose a folder that is empty or does not exist: %w", dir, ErrRefused)
	}
	if have == "" { // what a lost plan left is none of this one's
		for _, e := range left {
			if err := r.tree.RemoveAll(e.Name()); err != nil {
				return fmt.Errorf("restore: %w", err)
			}
		}
	}
	r.report.Resumed = have != ""
	return nil
}

// purpose tells restores apart: only the same one may be gone on with. What
// becomes of damaged files, and how the target mends the database, may be
// chosen anew.
type purpose struct {
	Snapshot manifest.Hash
	Parts    []manifest.Part `json:",omitempty"`
	Paths    []string        `json:",omitempty"`
}

func (r *restore) purpose() purpose {
	return purpose{r.snap.Record.Name(), r.cfg.Parts, r.cfg.Paths}
}

// String is the form that the plan keeps.
func (p purpose) String() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // names and strings always can
	}
	return string(text)
}

// describePurpose says what a plan's purpose was.
func describePurpose(text string) string {
	var p purpose
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return "something else"
	}
	what := fmt.Sprintf("snapshot %s", p.Snapshot)
	if only := p.only(); len(only) > 0 {
		what += " (only " + strings.Join(only, ", ") + ")"
	}
	return what
}

// only are the parts or paths that were chosen, none where all were.
func (p purpose) only() (only []string) {
	if len(p.Paths) > 0 {
		return p.Paths
	}
	for _, part := range p.Parts {
		only = append(only, string(part))
	}
	return only
}

// run fills the staging folder and has the target check it.
func (r *restore) run(ctx context.Context) error {
	if !r.report.Resumed {
		if err := r.makePlan(ctx); err != nil {
			return err
		}
	}
	if err := r.distrust(); err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	if err := r.unmend(); err != nil {
		return fmt.Errorf("undo what an earlier run mended: %w", err)
	}
	if err := r.fetch(ctx); err != nil {
		return err
	}
	if err := r.lost(); err != nil {
		return err
	}
	r.cfg.Progress.begin("finish", 0, 0)
	notes, err := r.target.Finish(ctx, r.tree, Restored{
		Facts: r.snap.Record.Facts, Domain: r.snap.Record.Instance, Parts: r.cfg.parts(),
	})
	if err != nil {
		return fmt.Errorf("finish restore: %w", err)
	}
	r.report.Notes = append(r.report.Notes, notes...)
	return r.sync()
}

// makePlan reads the listing and notes which bytes of which pack belong where.
func (r *restore) makePlan(ctx context.Context) error {
	r.cfg.Progress.begin("plan", 0, 0)
	w, err := r.plan.Begin()
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	p := planner{restore: r, w: w}
	for line, err := range r.snap.Lines(ctx) {
		if err == nil {
			err = p.line(line)
		}
		if err != nil {
			return errors.Join(err, w.Rollback(), r.clear())
		}
	}
	if err := p.endFile(); err != nil {
		return errors.Join(err, w.Rollback(), r.clear())
	}
	if p.files == 0 {
		return errors.Join(r.nothing(), w.Rollback(), r.clear())
	}
	missing, err := json.Marshal(r.report.Missing)
	if err != nil {
		return errors.Join(err, w.Rollback())
	}
	if err := w.Commit(map[string]string{"purpose": r.purpose().String(), "boot": bootID(), "missing": string(missing)}); err != nil {
		return errors.Join(fmt.Errorf("write plan: %w", err), r.clear())
	}
	return nil
}

// nothing says that nothing was found of what was chosen.
func (r *restore) nothing() error {
	why := ErrNoFile
	if len(r.report.Missing) > 0 {
		why = fmt.Errorf("it was missing from the instance when the snapshot was made: %w", ErrNoFile)
	}
	return fmt.Errorf("find %s in snapshot %s: %w", cmp.Or(strings.Join(r.purpose().only(), ", "), "a file"), r.snap.Record.ID(), why)
}

// recount fills the report of a restore that an earlier run finished.
func (r *restore) recount() (err error) {
	if r.report.Files, r.report.Bytes, err = r.plan.Sum(); err != nil {
		return err
	}
	lost, err := r.plan.Fact("lost")
	if err != nil || lost == "" {
		return err
	}
	hurt := map[string]int64{}
	if err := json.Unmarshal([]byte(lost), &hurt); err != nil {
		return err
	}
	r.leaveOut(hurt)
	return nil
}

// distrust starts over where the machine was started anew since: what was
// written then may never have reached the disk.
func (r *restore) distrust() error {
	missing, err := r.plan.Fact("missing")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(missing), &r.report.Missing); err != nil {
		return err
	}
	boot, err := r.plan.Fact("boot")
	if err != nil || boot != "" && boot == bootID() {
		return err
	}
	entries, err := fs.ReadDir(r.tree.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := r.tree.RemoveAll(e.Name()); err != nil {
			return err
		}
	}
	if err := r.plan.Undo(); err != nil {
		return err
	}
	return errors.Join(r.plan.SetFact("mending", ""), r.plan.SetFact("boot", bootID()))
}

// unmend brings the database back to what the snapshot holds where a run ended
// while the target mended it: then it is neither the one nor the other. So it
// does where it was mended for another target than this run's.
func (r *restore) unmend() error {
	state, err := r.plan.Fact("mending")
	if err != nil || state == "" {
		return err
	}
	mender, err := r.plan.Fact("mender")
	if err != nil {
		return err
	}
	if want, err := r.mender(); err != nil || state != begun && mender == want {
		return err
	}
	places, err := r.plan.UndoPart(manifest.Database)
	if err != nil {
		return err
	}
	for _, place := range places {
		// What SQLite keeps beside a file has its name and a suffix.
		left, err := fs.Glob(r.tree.FS(), place+"*")
		if err != nil {
			return err
		}
		for _, name := range left {
			if err := r.tree.Remove(name); err != nil {
				return err
			}
		}
	}
	return r.plan.SetFact("mending", "")
}

// bootID names the time since the kernel was started; "" where that is unknown.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// fetch brings the packs that are not done, each once, those of the database
// first. While the others arrive, the target mends it.
func (r *restore) fetch(ctx context.Context) error {
	todo, err := r.plan.Packs()
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	files, bytes, err := r.plan.Sum()
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	r.report.Files, r.report.Bytes, r.report.Packs = files, bytes, len(todo)
	r.cfg.Progress.begin("restore", files, bytes)

	ofDatabase := map[uint32]bool{}
	for _, p := range r.snap.Record.Packs[manifest.Database] {
		ofDatabase[p.Number] = true
	}
	others := slices.DeleteFunc(slices.Clone(todo), func(n uint32) bool { return ofDatabase[n] })
	if err := r.packs(ctx, slices.DeleteFunc(todo, func(n uint32) bool { return !ofDatabase[n] })); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	if len(r.damaged) == 0 && r.cfg.parts()[manifest.Database] {
		g.Go(func() error { return r.mend(gctx) })
	}
	g.Go(func() error { return r.packs(gctx, others) })
	if err := g.Wait(); err != nil {
		return err
	}
	return r.loose(false)
}

// packs fetches packs and spreads their bytes over the files. A damaged one
// does not stop the others: a person who has to act needs the whole list.
func (r *restore) packs(ctx context.Context, todo []uint32) error {
	g, gctx := errgroup.WithContext(ctx)
	queue := make(chan uint32)
	g.Go(func() error { return feed(gctx, todo, queue) })
	for range min(atOnce, len(todo)) {
		g.Go(func() error {
			w, err := newSpreader(r)
			if err != nil {
				return err
			}
			defer w.close()
			for n := range queue {
				if err := r.finished(n, w.pack(gctx, n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	if markErr := r.mark(); err == nil {
		err = markErr
	}
	return err
}

// begun is the fact "mending" of a run that was stopped meanwhile: the database
// is neither the one nor the other. Before it is "", afterwards the notes.
const begun = "begun"

// mend has the target mend the database, once.
func (r *restore) mend(ctx context.Context) error {
	state, err := r.plan.Fact("mending")
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	if state == "" {
		if err := r.loose(true); err != nil {
			return err
		}
		mender, err := r.mender()
		if err != nil {
			return err
		}
		if err := errors.Join(r.plan.SetFact("mender", mender), r.plan.SetFact("mending", begun)); err != nil {
			return fmt.Errorf("write plan: %w", err)
		}
		notes, err := r.target.CheckDatabase(ctx, r.tree)
		if err != nil {
			return fmt.Errorf("check the database: %w", err)
		}
		text, err := json.Marshal(notes)
		if err != nil {
			return err
		}
		if err := r.plan.SetFact("mending", string(text)); err != nil {
			return fmt.Errorf("write plan: %w", err)
		}
		state = string(text)
	}
	return json.Unmarshal([]byte(state), &r.report.Notes)
}

// mender tells targets apart that may mend a database differently.
func (r *restore) mender() (string, error) {
	text, err := json.Marshal(r.target)
	return string(text), err
}

// markEvery is how many packs a killed restore fetches again at most.
const markEvery = 8

func (r *restore) finished(number uint32, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, ErrDamage) {
		r.damaged[number] = err
		return nil
	}
	if err != nil {
		return err
	}
	r.cfg.Progress.moved(r.snap.packs[number].Size)
	if r.done = append(r.done, number); len(r.done) < markEvery {
		return nil
	}
	return r.markLocked()
}

func (r *restore) mark() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.markLocked()
}

func (r *restore) markLocked() error {
	if err := r.plan.Done(r.done); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	r.done = r.done[:0]
	return nil
}

// loose finishes the files that no single piece finished: those of the
// database, or all others.
func (r *restore) loose(database bool) error {
	for f, err := range r.plan.Loose() {
		if err != nil {
			return fmt.Errorf("read plan: %w", err)
		}
		if (f.Part == manifest.Database) != database {
			continue
		}
		if err := r.looseFile(f); err != nil {
			return fmt.Errorf("restore %q: %w", f.Place, err)
		}
	}
	return nil
}

func (r *restore) looseFile(f index.Planned) error {
	if f.Link != "" {
		return r.link(f)
	}
	file, err := createIn(r.tree, f.Place)
	if err != nil {
		return err
	}
	err = errors.Join(file.Truncate(f.Size), file.Chmod(fs.FileMode(f.Mode)), file.Close())
	if err != nil {
		return err
	}
	return r.tree.Chtimes(f.Place, f.Modified, f.Modified)
}

// link makes a symbolic link. Nothing is written through it: the listing has no
// path below a link's, and the target's own folders are none of the snapshot's.
func (r *restore) link(f index.Planned) error {
	dir := path.Dir(f.Place)
	if err := r.tree.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := r.tree.Symlink(string(f.Link), f.Place)
	if there, _ := r.tree.Readlink(f.Place); err != nil && there != string(f.Link) { // else an earlier run made it
		return err
	}
	in, err := r.tree.Open(dir)
	if err != nil {
		return err
	}
	defer in.Close()
	at := unix.NsecToTimespec(f.Modified.UnixNano())
	return unix.UtimesNanoAt(int(in.Fd()), path.Base(f.Place), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// createIn opens a file for writing below root, with the folders above it.
func createIn(root *os.Root, place string) (*os.File, error) {
	f, err := root.OpenFile(place, os.O_WRONLY|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = root.MkdirAll(path.Dir(place), 0o755)
	case errors.Is(err, fs.ErrPermission):
		// An earlier try finished a file that nobody may write.
		err = root.Chmod(place, 0o600)
	default:
		return f, err
	}
	if err != nil {
		return nil, err
	}
	return root.OpenFile(place, os.O_WRONLY|os.O_CREATE, 0o600)
}

// lost says which files damaged packs hurt, and with Salvage leaves them out.
func (r *restore) lost() error {
	if len(r.damaged) == 0 {
		return r.plan.SetFact("lost", "")
	}
	var problems []string
	database := false
	hurt := map[string]int64{}
	for number, err := range r.damaged {
		problems = append(problems, err.Error())
		sizes, err := r.plan.HurtBy(number)
		if err != nil {
			return fmt.Errorf("read plan: %w", err)
		}
		maps.Copy(hurt, sizes)
		for _, p := range r.snap.Record.Packs[manifest.Database] {
			database = database || p.Number == number
		}
	}
	slices.Sort(problems)
	r.report.Lost = slices.Sorted(maps.Keys(hurt))
	if !r.cfg.Salvage || database {
		return &DamageError{Problems: problems, Lost: r.report.Lost, Database: database}
	}
	// A later run may find a damaged pack whole, and then wants the other bytes
	// of these files, too.
	for number := range r.damaged {
		if err := r.plan.UndoHurtBy(number); err != nil {
			return fmt.Errorf("write plan: %w", err)
		}
	}
	for p := range hurt {
		if err := r.tree.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("leave out %q: %w", p, err)
		}
	}
	text, err := json.Marshal(hurt)
	if err != nil {
		return err
	}
	if err := r.plan.SetFact("lost", string(text)); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	r.leaveOut(hurt)
	return nil
}

// leaveOut takes files out of the report's sums.
func (r *restore) leaveOut(hurt map[string]int64) {
	r.report.Lost = slices.Sorted(maps.Keys(hurt))
	for _, size := range hurt {
		r.report.Files--
		r.report.Bytes -= size
	}
}

// DamageError tells what a restore could not bring back.
type DamageError struct {
	Problems []string // damaged objects, and how
	Lost     []string // files that need them
	Database bool     // the database is among them
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("restore: damaged packs: %d; files that need them: %d; %s", len(e.Problems), len(e.Lost), strings.Join(e.Problems, "; "))
}

// Unwrap is [ErrDamage].
func (e *DamageError) Unwrap() error { return ErrDamage }

// sync makes everything in the target durable.
func (r *restore) sync() error {
	d, err := r.root.Open(".")
	if err != nil {
		return fmt.Errorf("sync restore: %w", err)
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("sync restore: %w", err)
	}
	return nil
}

// publish gives the staged files their final names. From the mark on it only
// ever goes forward, however often it is stopped.
func (r *restore) publish() error {
	if err := r.plan.SetFact("finished", "yes"); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	entries, err := fs.ReadDir(r.tree.FS(), ".")
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	for _, e := range entries {
		if _, err := r.root.Lstat(e.Name()); err == nil {
			return fmt.Errorf("restore: %q appeared in the target meanwhile: %w", e.Name(), ErrRefused)
		}
		if err := r.root.Rename(staging+"/"+tree+"/"+e.Name(), e.Name()); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	if err := r.sync(); err != nil {
		return err
	}
	return r.clear()
}

// clear removes the staging folder, the plan last: a run that is killed before
// can be told from one that has not begun.
func (r *restore) clear() error {
	if err := r.root.RemoveAll(staging + "/" + tree); err != nil {
		return fmt.Errorf("clear staging: %w", err)
	}
	if err := r.plan.Close(); err != nil {
		return fmt.Errorf("close plan: %w", err)
	}
	r.plan = nil
	if err := r.root.RemoveAll(staging); err != nil {
		return fmt.Errorf("clear staging: %w", err)
	}
	return nil
}
