package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/rebuild"
	"holdfast/remedy"
	"holdfast/vault"
)

// RestoreConfig says what to restore into a folder. The zero value restores all of
// a snapshot.
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

// staging is the folder in which vault keeps an unfinished restore.
const staging = ".holdfast-restore"

// Unfinished reports whether a folder holds a restore that can go on.
func Unfinished(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, staging))
	return err == nil
}

// RestorePlan says what a restore would write.
type RestorePlan struct {
	Totals map[manifest.Part]manifest.Total
	Newest bool // the snapshot is the newest
	// Complete is the last snapshot before that misses no file. It is nil if there
	// is none, or if the snapshot itself misses no file.
	Complete *manifest.Record
	// If the disk of the target has too little room, Short says so.
	Short *Shortage
}

// Shortage is a disk with too little room. The disk may compress, or grow.
type Shortage struct {
	Dir        string // a folder on the disk
	Free, Need int64  // bytes
}

// PlanRestore looks at a snapshot and at the target's disk, and writes nothing.
func (r *Repository) PlanRestore(ctx context.Context, snap *vault.Snapshot, cfg RestoreConfig) (plan RestorePlan, err error) {
	records := r.Records()
	plan.Newest = snap.Record.Name() == latest(records).Name()
	if snap.Record.Missing > 0 {
		plan.Complete = completeBefore(records, snap.Record)
	}
	if plan.Totals, err = chosen(ctx, snap, cfg); err != nil {
		return plan, err
	}
	if cfg.To != "" && !Unfinished(cfg.To) {
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
		if !f.Missing && slices.ContainsFunc(cfg.Paths, func(path string) bool { return Below(f, path) }) {
			total := totals[f.Part]
			totals[f.Part] = manifest.Total{Files: total.Files + 1, Bytes: total.Bytes + f.Size}
		}
	}
	return totals, nil
}

// shortage compares the sums with the free room of the target's disk. A disk that
// does not tell its room has enough.
func shortage(to string, totals map[manifest.Part]manifest.Total) *Shortage {
	s := &Shortage{Dir: ScratchFolder(to)}
	for _, total := range totals {
		s.Need += total.Bytes
	}
	var err error
	if s.Free, err = disk.Free(s.Dir); err != nil || s.Need <= s.Free {
		return nil
	}
	return s
}

// ScratchFolder returns a folder for scratch files, if possible on the disk of the
// target: a rescue system keeps its temporary folder in memory. The folder is
// outside the target, which must be empty. to is an absolute path, or "" if there
// is no target.
func ScratchFolder(to string) string {
	if to == "" {
		return os.TempDir()
	}
	dir := filepath.Dir(to)
	for dir != "/" && unix.Access(dir, unix.F_OK) != nil { // not made yet
		dir = filepath.Dir(dir)
	}
	if unix.Access(dir, unix.W_OK) != nil {
		return os.TempDir()
	}
	return dir
}

// RestoreReport says what a restore did.
type RestoreReport struct {
	*vault.RestoreReport
	Damage   string // the note about damage in a database that was restored verbatim, or ""
	Missing  int64  // files that the backup did not find, named in the vault's report or not
	Duration time.Duration
}

// Restore restores a snapshot into a folder. Nothing in the folder has its final
// name before all of the snapshot is checked and durable. A restore that was
// interrupted goes on when Restore is called again with the same choice.
func Restore(ctx context.Context, snap *vault.Snapshot, cfg RestoreConfig) (report *RestoreReport, err error) {
	began := time.Now()
	defer func() {
		attrs := []any{"instance", snap.Record.Instance, "snapshot", snap.Record.ID(), "duration", time.Since(began)}
		if report != nil {
			attrs = append(attrs, "files", report.Files, "bytes", report.Bytes, "packs", report.Packs, "missing", report.Missing)
		}
		logEnd(ctx, "restore ended", err, attrs...)
	}()
	done, err := snap.Restore(ctx, cfg.To, &rebuild.Directory{Path: cfg.To, Verbatim: cfg.Verbatim}, vault.RestoreConfig{
		Parts: cfg.Parts, Paths: cfg.Paths, Salvage: cfg.Salvage, Progress: cfg.Progress,
	})
	if errors.Is(err, vault.ErrRefused) && !errors.Is(err, vault.ErrBusy) {
		return nil, &remedy.Error{Kind: remedy.Refused, Err: err, Effect: "the files in the folder are unchanged",
			Fix: "name by --to another folder, which is empty or does not exist"}
	}
	if err != nil {
		return nil, err
	}
	report = &RestoreReport{RestoreReport: done, Missing: int64(len(done.Missing)), Duration: time.Since(began)}
	if cfg.whole() {
		report.Missing = snap.Record.Missing
	}
	for _, note := range done.Notes {
		if strings.HasPrefix(note, rebuild.DamageNote) {
			report.Damage = note
		}
	}
	return report, nil
}
