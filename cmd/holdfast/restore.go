package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/agent"
	"holdfast/cmd/holdfast/commandline"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/report"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/cmd/holdfast/unlock"
	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/vault"
)

// restoreFlags are the flags of restore.
type restoreFlags struct {
	from      string
	unlock    unlock.Flags
	to        string
	only      []string
	pathFlags []string          // as typed: of both kinds
	paths     []string          // PART/PATH
	mapped    map[string]string // THEIRS=OURS
	verbatim  bool
	salvage   bool
	plan      bool
	head      *manifest.Hash // of --expect-head; nil: any
	full      rebuildFlags   // for a restore onto this machine
	flags     *pflag.FlagSet
	began     time.Time
}

func restoreCommand(a *app) *cobra.Command {
	var v restoreFlags
	cmd := &cobra.Command{
		Use:   "restore [SNAP|latest] --identity FILE [--to DIR]",
		Short: "Rebuild the instance on this machine, or in a folder",
		Long: `Rebuild the instance on this machine. Restore shows a plan, asks for the domain,
and then restores user, database, media and files to their original paths. If a
restore is interrupted, continue it with --resume.

With --only PART, the other parts on this machine stay as they are.

With --to DIR, restore the instance, or parts of it, into a folder that is empty
or does not exist: DIR/sqlite.db or DIR/database, DIR/storage, DIR/files, and
DIR/run.env, the settings that start GoToSocial over DIR. If such a restore is
interrupted, run the same command again.

A restore needs the storage and an owner's identity, and nothing else.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if v.head, err = expectedHead(cmd.Flags()); err != nil {
				return err
			}
			result, err := v.run(cmd.Context(), a, first(args))
			if err != nil {
				return err
			}
			return printRestore(a.term, result)
		},
	}
	fromFlag(cmd, &v.from)
	v.unlock.Define(cmd)
	v.define(cmd.Flags())
	return cmd
}

// define defines the flags, except --from, --identity and --passphrase.
func (v *restoreFlags) define(f *pflag.FlagSet) {
	v.flags = f
	f.StringVar(&v.to, "to", "", "restore into `DIR`")
	f.StringArrayVar(&v.only, "only", nil, "restore only this `PART`: database, media or files; may be repeated")
	f.StringArrayVar(&v.pathFlags, "path", nil, "with --to, restore only `PART/PATH`, with everything below; without "+
		"--to, put the container's path THEIRS at OURS, written THEIRS=OURS; may be repeated")
	f.BoolVar(&v.verbatim, "verbatim", false,
		"restore the database byte for byte (default: mark remote media as not cached, because no backup holds them)")
	f.BoolVar(&v.salvage, "salvage", false, "restore the undamaged files even if packs are damaged")
	f.BoolVar(&v.plan, "plan", false, "print the plan, and stop")
	f.StringVar(&v.full.yes, "yes", "", "restore the instance of `DOMAIN` onto this machine without asking")
	f.StringVar(&v.full.gotosocial, "gotosocial", "",
		"restore to the paths in `FILE`, a GoToSocial configuration (default: the configuration in the snapshot)")
	f.StringVar(&v.full.user, "user", "", "run the server as `USER:GROUP` (default: the recorded user)")
	f.StringVar(&v.full.work, "work", "", "fetch everything into `DIR` first (default: beside the media)")
	f.BoolVar(&v.full.oldIsDead, "old-is-dead", false, "restore although a server answers for the domain")
	f.BoolVar(&v.full.replace, "replace", false, "rename a database and files that are in the way; nothing is deleted")
	f.BoolVar(&v.full.resume, "resume", false, "continue an interrupted restore onto this machine")
	expectHeadFlag(f)
}

// run restores, or prints the plan.
func (v *restoreFlags) run(ctx context.Context, a *app, which string) (*restoreResult, error) {
	v.began = time.Now()
	cfg, err := v.config()
	if err != nil {
		return nil, err
	}
	repo, err := a.openOwned(ctx, v.from, v.unlock)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	if err := repo.ExpectHead(v.head); err != nil {
		return nil, err
	}
	snap, err := repo.Snapshot(ctx, which, agent.ScratchFolder(v.to))
	if err != nil {
		return nil, err
	}
	plan, err := repo.PlanRestore(ctx, snap, cfg)
	if err != nil {
		return nil, problem.WithEffect(err, v.leftBehind())
	}
	result := &restoreResult{Snapshot: report.NewSnapshot(snap.Record), To: v.to, Planned: v.plan}
	if plan.Complete != nil {
		result.Whole = plan.Complete.ID()
	}
	v.printPlan(a.term, result, plan)
	switch {
	case v.isFull():
		return result, v.rebuild(ctx, a, repo, snap, cfg.Parts, result)
	case v.plan:
		return result, nil
	}
	if err := plan.Refusal(); err != nil {
		return result, err
	}
	return result, v.restoreInto(ctx, a, snap, cfg, result)
}

// restoreInto restores into a folder.
func (v *restoreFlags) restoreInto(
	ctx context.Context, a *app, snap *vault.Snapshot, cfg agent.RestoreConfig, result *restoreResult,
) error {
	p := new(vault.Progress)
	cfg.Observer = a.observer(p)
	var report *agent.RestoreReport
	err := a.term.Watch(ctx, "fetched", p, func(ctx context.Context) (err error) {
		report, err = agent.Restore(ctx, snap, cfg)
		return err
	})
	if err != nil {
		warnLost(a.term, err)
		if errors.Is(err, vault.ErrBusy) {
			return err
		}
		return problem.WithEffect(err, v.leftBehind())
	}
	result.Files, result.Bytes, result.Packs, result.Resumed = report.Files, report.Bytes, report.Packs, report.Resumed
	result.Missing, result.Lost, result.Notes = report.RestoreReport.Missing, report.Lost, report.Notes
	result.Mixed = report.Mixed
	result.missing, result.damage = report.Missing, report.Damage
	if report.Damage != "" {
		result.Notes = append([]string{report.Damage}, result.Notes...)
	}
	result.Seconds = time.Since(v.began).Seconds()
	return nil
}

// leftBehind describes the folder after a failed restore.
func (v *restoreFlags) leftBehind() string {
	if !vault.Unfinished(v.to) {
		return "nothing was restored"
	}
	return fmt.Sprintf("the restore into %s is unfinished; its hidden folder .holdfast-restore keeps the fetched data",
		v.to)
}

// config checks the flags.
func (v *restoreFlags) config() (cfg agent.RestoreConfig, err error) {
	if err := v.sortPaths(); err != nil {
		return cfg, err
	}
	if err := v.checkFull(); err != nil {
		return cfg, err
	}
	if err := makeAbsolute(&v.to); err != nil {
		return cfg, err
	}
	if v.to != "" && !v.plan {
		if err := disk.CheckCreatable(v.to); err != nil {
			return cfg, problem.Usage(fmt.Errorf("can't restore into %s: %w", v.to, err),
				"name by --to a folder that this user can make or write into")
		}
	}
	for i, path := range v.paths {
		v.paths[i] = terminal.Unquote(path)
	}
	cfg = agent.RestoreConfig{To: v.to, Paths: v.paths, Salvage: v.salvage, Verbatim: v.verbatim}
	for _, name := range v.only {
		for part := range strings.SplitSeq(name, ",") {
			if !slices.Contains(manifest.Parts, manifest.Part(part)) {
				return cfg, problem.Usage(fmt.Errorf("--only %q names no part", part),
					"name database, media or files")
			}
			cfg.Parts = append(cfg.Parts, manifest.Part(part))
		}
	}
	for _, path := range v.paths {
		part, _, _ := strings.Cut(path, "/")
		switch {
		case !slices.Contains(manifest.Parts, manifest.Part(part)):
			return cfg, problem.Usage(fmt.Errorf("--path %s does not start with a part", path),
				"write --path media/… or files/…, as holdfast ls lists them; or --path THEIRS=OURS for a container")
		case len(cfg.Parts) > 0 && !slices.Contains(cfg.Parts, manifest.Part(part)):
			return cfg, problem.Usage(fmt.Errorf("--path %s and --only %s contradict each other", path,
				strings.Join(v.only, ",")), "leave out --only: --path is enough")
		}
	}
	return cfg, nil
}

// sortPaths tells the two kinds of --path apart: only a path of a container is absolute.
func (v *restoreFlags) sortPaths() (err error) {
	var mapped []string
	for _, path := range v.pathFlags {
		if strings.HasPrefix(path, "/") && strings.Contains(path, "=") {
			mapped = append(mapped, path)
		} else {
			v.paths = append(v.paths, path)
		}
	}
	v.mapped, err = commandline.MappedPaths(mapped)
	return err
}

// isFull reports whether the flags ask for a restore onto this machine.
func (v *restoreFlags) isFull() bool { return v.to == "" && len(v.paths) == 0 && !v.salvage }

// checkFull checks the flags of a restore onto this machine.
func (v *restoreFlags) checkFull() error {
	if v.to != "" {
		if v.full != (rebuildFlags{}) || len(v.mapped) > 0 {
			return problem.Usage(errors.New("--to restores into a folder; --yes, --gotosocial, --user, --work, "+
				"--old-is-dead, --replace, --resume and --path THEIRS=OURS are for a restore onto this machine"),
				"leave out --to, or the others")
		}
		return nil
	}
	if !v.isFull() && !v.plan {
		return problem.Usage(errors.New("a restore onto this machine restores whole parts; "+
			"--path PART/PATH and --salvage need --to"), "name a folder by --to DIR, or leave out these flags")
	}
	if user, group, _ := strings.Cut(v.full.user, ":"); v.full.user != "" && (user == "" || group == "") {
		return problem.Usage(fmt.Errorf("--user: %q does not name a user and a group", v.full.user),
			"write --user USER:GROUP")
	}
	return makeAbsolute(&v.full.work, &v.full.gotosocial)
}
