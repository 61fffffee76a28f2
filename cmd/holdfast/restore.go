package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"holdfast/manifest"
	"holdfast/rebuild"
	"holdfast/vault"
)

// restoreVerb rebuilds an instance.
type restoreVerb struct {
	from       string
	unlock     unlocking
	to         string
	only       []string
	paths      []string
	verbatim   bool
	salvage    bool
	plan       bool
	expectHead string
	full       rebuildFlags // where there is no --to
	flags      *pflag.FlagSet
	began      time.Time
}

func (a *app) restoreCommand() *cobra.Command {
	var v restoreVerb
	cmd := &cobra.Command{
		Use:   "restore [SNAP|latest] --identity FILE [--to DIR]",
		Short: "Rebuild the instance on this machine, or in a folder",
		Long: `Rebuild the instance on this machine, each thing where it was: it shows a plan,
asks for the domain, and then restores user, database, media and files. --resume
goes on with one that was cut off.

With --to DIR, rebuild it, or parts of it, in a folder that is empty or does not
exist: DIR/sqlite.db or DIR/database, DIR/storage, DIR/files, and DIR/run.env,
which makes the server start over them. One that was interrupted goes on when it
is run again.

It needs the storage, an owner's identity, and nothing else.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkHead(cmd.Flags()); err != nil {
				return err
			}
			result, err := v.run(cmd.Context(), a, first(args))
			if err != nil {
				return err
			}
			return a.tellRestore(result)
		},
	}
	f := cmd.Flags()
	v.flags = f
	fromFlag(cmd, &v.from)
	v.unlock.flags(cmd)
	f.StringVar(&v.to, "to", "", "restore into `DIR`")
	f.StringArrayVar(&v.only, "only", nil, "restore this `PART` only: database, media or files; may be repeated")
	f.StringArrayVar(&v.paths, "path", nil, "restore this `PART/PATH` only, with all below it; may be repeated")
	f.BoolVar(&v.verbatim, "verbatim", false, "leave the database as it was, byte for byte; else remote media, which no backup holds, are marked as not cached")
	f.BoolVar(&v.salvage, "salvage", false, "where packs are damaged, restore the files that are whole")
	f.BoolVar(&v.plan, "plan", false, "print what would be restored, and stop")
	f.StringVar(&v.full.yes, "yes", "", "restore onto this machine the instance of this `DOMAIN`, without asking")
	f.StringVar(&v.full.gotosocial, "gotosocial", "", "restore to the places that this configuration `FILE` of GoToSocial names, instead of those of the snapshot's")
	f.StringVar(&v.full.user, "user", "", "the `USER:GROUP` that the server runs as, instead of the one it ran as")
	f.StringVar(&v.full.work, "work", "", "fetch everything into `DIR` first (default: beside the media)")
	f.BoolVar(&v.full.oldIsDead, "old-is-dead", false, "restore although a server answers for the domain")
	f.BoolVar(&v.full.replace, "replace", false, "rename aside what is in the way: a database, files; nothing is deleted")
	f.BoolVar(&v.full.resume, "resume", false, "go on with a restore onto this machine that was cut off")
	f.StringVar(&v.expectHead, "expect-head", "", "refuse unless the newest record is, or descends from, the one whose `ID` starts so")
	return cmd
}

// restoreResult is what restore did, for --json.
type restoreResult struct {
	Snapshot snapshot `json:"snapshot"`
	To       string   `json:"to"`
	Files    int64    `json:"files"`
	Bytes    int64    `json:"bytes"`
	Packs    int      `json:"packs"`
	Resumed  bool     `json:"resumed,omitempty"`
	Seconds  float64  `json:"seconds"`
	Missing  []string `json:"missing,omitempty"` // in the snapshot itself
	Whole    string   `json:"whole,omitempty"`   // where files are missing: the last snapshot before that misses none
	Lost     []string `json:"lost,omitempty"`    // left out by --salvage
	Notes    []string `json:"notes,omitempty"`
	Rest     []string `json:"rest,omitempty"`    // what is left to do after a restore onto this machine
	Planned  bool     `json:"planned,omitempty"` // nothing was done

	unnamed int64 // files that the snapshot misses and has no name for
}

func (v *restoreVerb) run(ctx context.Context, a *app, which string) (*restoreResult, error) {
	frugal()
	v.began = time.Now()
	cfg, err := v.config()
	if err != nil {
		return nil, err
	}
	repo, err := a.openOwned(ctx, v.from, v.unlock)
	if err != nil {
		return nil, err
	}
	defer repo.close()
	if err := expect(repo.Repository, v.expectHead); err != nil {
		return nil, err
	}
	snap, err := repo.snapshot(ctx, which, besides(v.to))
	if err != nil {
		return nil, err
	}
	result := &restoreResult{Snapshot: newSnapshot(snap.Record), To: v.to}
	if snap.Record.Missing > 0 {
		result.Whole = wholeBefore(repo.Records(), snap.Record)
	}
	totals, err := v.chosen(ctx, snap, cfg.Parts)
	if err != nil {
		return nil, withEffect(err, v.left())
	}
	v.tellPlan(a, result, totals, snap.Record.Name() == latest(repo.Records()).Name())
	if v.isFull() {
		return result, v.rebuild(ctx, a, snap, result)
	}
	if v.plan {
		result.Planned = true
		return result, nil
	}
	p := new(vault.Progress)
	cfg.Progress = p
	var report *vault.RestoreReport
	err = a.watch(ctx, "fetched", p, func(ctx context.Context) (err error) {
		report, err = snap.Restore(ctx, v.to, &rebuild.Directory{Path: v.to, Verbatim: v.verbatim}, cfg)
		return err
	})
	if err != nil {
		a.tellLost(err)
		switch {
		case errors.Is(err, vault.ErrBusy):
			return nil, err
		case errors.Is(err, vault.ErrRefused):
			return nil, &problem{exit: exitRefused, err: err, effect: "nothing that was there before is changed", fix: "name by --to another folder, which is empty or does not exist"}
		}
		return nil, withEffect(err, v.left())
	}
	result.Files, result.Bytes, result.Packs, result.Resumed = report.Files, report.Bytes, report.Packs, report.Resumed
	result.Missing, result.Lost, result.Notes = report.Missing, report.Lost, report.Notes
	if len(cfg.Parts) == 0 && len(cfg.Paths) == 0 {
		result.unnamed = result.Snapshot.Missing - int64(len(report.Missing))
	}
	result.Seconds = time.Since(v.began).Seconds()
	return result, nil
}

// left says what a restore that failed leaves behind.
func (v *restoreVerb) left() string {
	if _, err := os.Lstat(filepath.Join(v.to, ".holdfast-restore")); err != nil {
		return "nothing was restored"
	}
	return fmt.Sprintf("the restore into %s is unfinished; what was fetched is kept there, in the hidden folder .holdfast-restore", v.to)
}

// wholeBefore is the ID of the last snapshot before rec that misses no file, or
// "". The records come newest first.
func wholeBefore(records []*manifest.Record, rec *manifest.Record) string {
	older := slices.IndexFunc(records, func(r *manifest.Record) bool { return r.Sequence < rec.Sequence })
	if older < 0 {
		return ""
	}
	if whole := complete(records[older:]); whole != nil {
		return whole.ID()
	}
	return ""
}

// besides is a folder for scratch files on the target's own disk, where that
// can be had: a rescue system keeps its temporary folder in memory. Not in the
// target itself: that must be empty. to is absolute, or "" for this machine.
func besides(to string) string {
	if to == "" {
		return os.TempDir()
	}
	dir := filepath.Dir(to)
	for dir != "/" && unix.Access(dir, unix.F_OK) != nil { // it is made later
		dir = filepath.Dir(dir)
	}
	if unix.Access(dir, unix.W_OK) != nil {
		return os.TempDir()
	}
	return dir
}

// config checks the flags.
func (v *restoreVerb) config() (vault.RestoreConfig, error) {
	cfg := vault.RestoreConfig{Paths: v.paths, Salvage: v.salvage}
	if err := v.fullConfig(); err != nil {
		return cfg, err
	}
	if err := absolute(&v.to); err != nil {
		return cfg, err
	}
	if v.to != "" && !v.plan {
		if err := creatable(v.to); err != nil {
			return cfg, usage(fmt.Errorf("can't restore into %s: %w", v.to, err), "name by --to a folder that this user can make or write into")
		}
	}
	for _, name := range v.only {
		for part := range strings.SplitSeq(name, ",") {
			if !slices.Contains(manifest.Parts, manifest.Part(part)) {
				return cfg, usage(fmt.Errorf("--only %s: there is no such part", part), "the parts are database, media and files")
			}
			cfg.Parts = append(cfg.Parts, manifest.Part(part))
		}
	}
	for _, path := range v.paths {
		part, _, _ := strings.Cut(path, "/")
		switch {
		case !slices.Contains(manifest.Parts, manifest.Part(part)):
			return cfg, usage(fmt.Errorf("--path %s does not start with a part", path), "write --path media/… or files/…; holdfast ls shows the paths")
		case len(cfg.Parts) > 0 && !slices.Contains(cfg.Parts, manifest.Part(part)):
			return cfg, usage(fmt.Errorf("--path %s and --only %s contradict each other", path, strings.Join(v.only, ",")), "leave out --only: --path is enough")
		}
	}
	return cfg, nil
}

// isFull reports whether it is one onto this machine.
func (v *restoreVerb) isFull() bool {
	return v.to == "" && len(v.only) == 0 && len(v.paths) == 0 && !v.salvage
}

// fullConfig checks the flags of a restore onto this machine.
func (v *restoreVerb) fullConfig() error {
	if v.to != "" {
		if v.full != (rebuildFlags{}) {
			return usage(errors.New("--yes, --gotosocial, --user, --work, --old-is-dead, --replace and --resume go with a restore onto this machine, --to with one into a folder"), "leave out --to, or the others")
		}
		return nil
	}
	if !v.isFull() && !v.plan {
		return usage(errors.New("--only, --path and --salvage go with --to: a restore onto this machine brings everything"), "name a folder by --to DIR")
	}
	if user, group, _ := strings.Cut(v.full.user, ":"); v.full.user != "" && (user == "" || group == "") {
		return usage(fmt.Errorf("--user %s names no user and group", v.full.user), "write --user USER:GROUP")
	}
	return errors.Join(absolute(&v.full.work), absolute(&v.full.gotosocial))
}

// checkHead refuses an --expect-head that would expect nothing, such as an
// empty variable of a script.
func checkHead(flags *pflag.FlagSet) error {
	f := flags.Lookup("expect-head")
	head := f.Value.String()
	if !f.Changed || len(head) >= 4 && strings.Trim(strings.ToLower(head), "0123456789abcdef") == "" {
		return nil
	}
	return usage(fmt.Errorf("--expect-head %q is no record's ID, nor its first 4 digits or more", head), "take the head that holdfast backup printed, or leave the flag out")
}

// expect refuses a repository whose newest records are gone.
func expect(repo *vault.Repository, head string) error {
	if head == "" || repo.Keeps(head) {
		return nil
	}
	newest := repo.Head()
	return &problem{exit: exitRefused, err: fmt.Errorf("record %s was expected, and the newest one, %s of %s, does not know it", head, newest.ID(), stamp(newest.Time)),
		effect: "newer snapshots were removed, or the storage was rolled back",
		fix:    "look for a mirror with the newer ones; without --expect-head what is there can be restored"}
}

// chosen is how much of each part is to be restored. Of single paths only the
// listing tells.
func (v *restoreVerb) chosen(ctx context.Context, snap *vault.Snapshot, parts []manifest.Part) (map[manifest.Part]manifest.Total, error) {
	totals := map[manifest.Part]manifest.Total{}
	if len(v.paths) == 0 {
		for part, total := range snap.Record.Parts {
			if len(parts) == 0 || slices.Contains(parts, part) {
				totals[part] = total
			}
		}
		return totals, nil
	}
	for f, err := range snap.Files(ctx) {
		if err != nil {
			return nil, err
		}
		name := string(f.Part) + "/" + f.Path
		if !f.Missing && slices.ContainsFunc(v.paths, func(path string) bool { return within(name, path) }) {
			total := totals[f.Part]
			totals[f.Part] = manifest.Total{Files: total.Files + 1, Bytes: total.Bytes + f.Size}
		}
	}
	return totals, nil
}

// tellPlan says what is about to be restored, before anything is.
func (v *restoreVerb) tellPlan(a *app, result *restoreResult, totals map[manifest.Part]manifest.Total, newest bool) {
	s := result.Snapshot
	if a.json {
		a.line("plan", s)
	}
	which := ""
	if newest {
		which = ", the newest"
	}
	a.say("snapshot %s of %s%s", s.ID, s.Instance, which)
	a.say("  shows     %s, %s ago", stamp(s.Time), elapsed(s.Time))
	for _, part := range manifest.Parts {
		if total := totals[part]; total.Files > 0 {
			a.say("  %-9s %s in %s", part, size(total.Bytes), count(total.Files, "file"))
		}
	}
	if len(v.paths) > 0 {
		a.say("  only      %s", strings.Join(v.paths, ", "))
	}
	if v.to != "" {
		a.say("  into      %s", v.to)
		v.tellRoom(a, totals)
	}
	if s.Missing > 0 {
		a.warn("the snapshot is incomplete: it was made without %s that could not be read%s", count(s.Missing, "file"), result.without())
	}
}

// tellRoom warns where the disk has not the room. It is no refusal: the disk may
// compress, or grow.
func (v *restoreVerb) tellRoom(a *app, totals map[manifest.Part]manifest.Total) {
	if _, err := os.Lstat(filepath.Join(v.to, ".holdfast-restore")); err == nil {
		return // a part of it is there already
	}
	var need int64
	for _, total := range totals {
		need += total.Bytes
	}
	dir := besides(v.to)
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err == nil && need > int64(disk.Bavail)*disk.Bsize {
		a.warn("the disk of %s has room for %s, and this takes %s", dir, size(int64(disk.Bavail)*disk.Bsize), size(need))
	}
}

// without names the snapshot to turn to for files that are missing.
func (r *restoreResult) without() string {
	if r.Whole == "" {
		return ""
	}
	return fmt.Sprintf("; snapshot %s, before it, misses none", r.Whole)
}

// tellLost names the files that damaged packs hurt.
func (a *app) tellLost(err error) {
	var damage *vault.DamageError
	if !errors.As(err, &damage) {
		return
	}
	a.warnAll("can't be restored: %s", damage.Lost)
}

// warnAll warns of each, or of the first without --verbose.
func (a *app) warnAll(format string, all []string) {
	for i, one := range all {
		if i == shown && !a.verbose {
			a.warn("and %d more; -v names them all", len(all)-i)
			return
		}
		a.warn(format, one)
	}
}

// tellRestore prints what a restore did.
func (a *app) tellRestore(r *restoreResult) error {
	a.result = r
	if r.Planned {
		return nil
	}
	if r.Rest != nil {
		return a.tellMissing(r)
	}
	resumed := ""
	if r.Resumed {
		resumed = ", going on from an earlier run"
	}
	a.say("✓ restored %s, %s, in %s%s; every byte was checked", count(r.Files, "file"), size(r.Bytes), took(time.Duration(r.Seconds*1e9)), resumed)
	damaged := ""
	for _, note := range r.Notes {
		if strings.HasPrefix(note, rebuild.DamageNote) {
			damaged = note
			continue
		}
		a.say("  %s", note)
	}
	a.warnAll("damaged, left out: %s", r.Lost)
	if damaged != "" {
		return &problem{exit: exitDamage, err: errors.New(damaged), effect: "all files are restored; the server may not run over this database",
			fix: "mend it by sqlite3's REINDEX or .recover, or restore an earlier snapshot into another folder"}
	}
	if len(r.Lost) > 0 {
		return &problem{exit: exitDamage, err: fmt.Errorf("left out %s, whose packs are damaged", count(int64(len(r.Lost)), "file")),
			effect: "everything else is restored", fix: "look for these files in another snapshot or a mirror"}
	}
	return a.tellMissing(r)
}

// tellMissing tells of files that the backup did not find.
func (a *app) tellMissing(r *restoreResult) error {
	a.warnAll("was missing when the snapshot was made: %s", r.Missing)
	missing := int64(len(r.Missing)) + r.unnamed
	if missing == 0 {
		return nil
	}
	fix := "no earlier snapshot has them all; look for them where the instance's disk was copied to"
	if r.Whole != "" {
		fix = fmt.Sprintf("restore snapshot %s, which misses none, into another folder, and copy these files from there", r.Whole)
	}
	return &problem{exit: exitIncomplete, err: fmt.Errorf("snapshot %s is restored, without %s that could not be found when it was made", r.Snapshot.ID, count(missing, "file")),
		effect: "everything else is restored", fix: fix}
}
