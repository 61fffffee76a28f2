package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/rebuild/restored"
	"holdfast/remedy"
	"holdfast/vault"
)

// RestoreConfig is the choice of files for a restore into a folder. The zero value
// chooses all of a snapshot.
type RestoreConfig struct {
	To       string          // the folder, an absolute path: empty, or left by an earlier run
	Parts    []manifest.Part // default: all
	Paths    []string        // "PART/PATH" of files, or of folders with everything below; default: all
	Salvage  bool            // restore the undamaged files even if others are damaged
	Verbatim bool            // leave the database as it was, byte for byte
	Observer
}

// whole reports whether everything is restored.
func (c RestoreConfig) whole() bool { return len(c.Parts) == 0 && len(c.Paths) == 0 }

// RestorePlan describes a restore before it begins.
type RestorePlan struct {
	Totals map[manifest.Part]manifest.Total
	Newest bool // the snapshot is the newest
	// Complete is the last earlier snapshot without missing files. Complete is nil for
	// a snapshot without missing files, or if no earlier snapshot is complete.
	Complete *manifest.Record
	// Short is nil if the disk of the target has enough room.
	Short *Shortage
}

// PlanRestore looks at a snapshot and at the target's disk, and writes nothing.
func (r *Repository) PlanRestore(
	ctx context.Context, snap *vault.Snapshot, cfg RestoreConfig,
) (plan RestorePlan, err error) {
	if cfg.To != "" {
		if err := r.checkTarget(cfg.To, "--to"); err != nil {
			return plan, err
		}
	}
	records := manifest.History(r.Records())
	plan.Newest = snap.Record.Name() == records.Latest().Name()
	if snap.Record.Missing > 0 {
		plan.Complete = records.CompleteBefore(snap.Record)
	}
	if plan.Totals, err = chosen(ctx, snap, cfg); err != nil {
		return plan, err
	}
	if cfg.To != "" && !vault.Unfinished(cfg.To) {
		plan.Short = shortage(cfg.To, plan.Totals)
	}
	return plan, nil
}

// chosen sums up each part. The sums of single paths need the listing.
func chosen(ctx context.Context, snap *vault.Snapshot, cfg RestoreConfig) (map[manifest.Part]manifest.Total, error) {
	totals := map[manifest.Part]manifest.Total{}
	if len(cfg.Paths) == 0 {
		for part, total := range snap.Record.Parts {
			if len(cfg.Parts) == 0 || slices.Contains(cfg.Parts, part) {
				totals[part] = total
			}
		}
		return totals, nil
	}
	for f, err := range snap.Files(ctx) {
		if err != nil {
			return nil, err
		}
		if !f.Missing && !f.Folder && slices.ContainsFunc(cfg.Paths, func(path string) bool { return Below(f, path) }) {
			total := totals[f.Part]
			totals[f.Part] = manifest.Total{Files: total.Files + 1, Bytes: total.Bytes + f.Size}
		}
	}
	return totals, nil
}

// ScratchFolder returns a folder for scratch files, outside the target, and if
// possible on the target's disk: the temporary folder of a rescue system is in
// memory. to is the absolute path of the target, or "" without a target.
func ScratchFolder(to string) string {
	if to == "" {
		return os.TempDir()
	}
	dir := disk.Nearest(filepath.Dir(to))
	if unix.Access(dir, unix.W_OK) != nil {
		return os.TempDir()
	}
	return dir
}

// RestoreReport is the result of a restore.
type RestoreReport struct {
	*vault.RestoreReport
	Missing  int64 // files that the backup did not find or that are mixed, named in the vault's report or not
	Duration time.Duration
}

// holdfastFile returns the true path of Holdfast's configuration in the snapshot, or "".
func holdfastFile(ctx context.Context, snap *vault.Snapshot) (string, error) {
	for f, err := range snap.Files(ctx) {
		if err != nil {
			return "", err
		}
		if f.Part > manifest.Files {
			break
		}
		if f.Holdfast {
			return f.TruePath(), nil
		}
	}
	return "", nil
}

// Restore restores a snapshot into a folder. Files get their final names only after
// all of the snapshot is checked and durable. To continue an interrupted restore,
// call Restore again with the same choice.
func Restore(ctx context.Context, snap *vault.Snapshot, cfg RestoreConfig) (report *RestoreReport, err error) {
	began := time.Now()
	defer func() {
		attrs := []any{"instance", snap.Record.Instance, "snapshot", snap.Record.ID(), "duration", time.Since(began)}
		if report != nil {
			attrs = append(attrs, "files", report.Files, "bytes", report.Bytes, "packs", report.Packs, "missing",
				report.Missing)
		}
		logEnd(ctx, "restore ended", err, attrs...)
	}()
	target := &restored.Folder{Path: cfg.To, Verbatim: cfg.Verbatim, ParseServer: serverOf}
	if target.Holdfast, err = holdfastFile(ctx, snap); err != nil {
		return nil, err
	}
	done, err := snap.Restore(ctx, cfg.To, target, vault.RestoreConfig{
		Parts: cfg.Parts, Paths: cfg.Paths, Salvage: cfg.Salvage, Progress: cfg.Progress,
	})
	if errors.Is(err, vault.ErrRefused) && !errors.Is(err, vault.ErrBusy) {
		return nil, &remedy.Error{Kind: remedy.Refused, Err: err, Effect: "the files in the folder are unchanged",
			Fix: "name by --to a folder that is empty or does not exist"}
	}
	if err != nil {
		return nil, explainFull(err, cfg.To, ScratchFolder(cfg.To))
	}
	report = &RestoreReport{RestoreReport: done, Duration: time.Since(began),
		Missing: int64(len(done.Missing) + len(done.Mixed))}
	if cfg.whole() {
		report.Missing = snap.Record.Missing
	}
	return report, nil
}
