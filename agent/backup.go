package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remedy"
	"holdfast/seal"
	"holdfast/vault"
)

// BackupConfig says how to back up.
type BackupConfig struct {
	Version string // of Holdfast, for the record
	Observer
}

// BackupReport is the result of a backup.
type BackupReport struct {
	Saved    *vault.BackupReport // nil if no snapshot was saved
	Previous *manifest.Record    // the snapshot before, or nil
	Duration time.Duration
	// Standing describes the snapshots after the backup. Standing is nil if the backup
	// failed before the index was open.
	Standing *Standing
}

// Backup saves the instance as a new snapshot. The report is never nil.
func (h Home) Backup(ctx context.Context, cfg BackupConfig) (_ *BackupReport, err error) {
	report := new(BackupReport)
	began := time.Now()
	defer func() {
		report.Duration = time.Since(began)
		report.log(ctx, err)
	}()
	c, err := h.Config()
	if err != nil {
		return report, err
	}
	host, err := h.Host()
	if err != nil {
		return report, err
	}
	unlock, err := h.Lock("backup")
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	idx, fresh, err := index.Open(h.State)
	if err != nil {
		return report, err
	}
	defer idx.Close()
	b := backup{home: h, cfg: cfg, config: c, host: host, idx: idx, fresh: fresh}
	err = b.run(ctx, report)
	standing := lastKnown(idx)
	report.Standing = &standing
	return report, err
}

// log writes the log line of the backup.
func (r *BackupReport) log(ctx context.Context, err error) {
	attrs := []any{"duration", r.Duration}
	if r.Saved != nil {
		rec := r.Saved.Record
		attrs = append(attrs, "instance", rec.Instance, "snapshot", rec.ID(), "packs", r.Saved.Packs, "bytes",
			rec.Stored, "missing", rec.Missing)
	}
	logEnd(ctx, "backup ended", err, attrs...)
}

// backup is a running backup, with lock and index.
type backup struct {
	home   Home
	cfg    BackupConfig
	config *Config
	host   *seal.Host
	idx    *index.Index
	fresh  bool // the index was made anew
}

func (b *backup) run(ctx context.Context, report *BackupReport) error {
	i, err := b.config.OpenInstance(b.cfg.Observer)
	if err != nil {
		return err
	}
	defer i.Close()
	if err := b.config.CheckOutside(i, b.home.State); err != nil {
		return err
	}
	if b.host.Instance != i.Domain() {
		return &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("this host's key is for %s, GoToSocial's configuration is of %s",
				b.host.Instance, i.Domain()),
			Fix: "correct instance.gotosocial; another instance needs its own state folder and repository " +
				"(holdfast init)"}
	}
	repo, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	report.Previous = manifest.History(repo.Records()).Latest()
	if b.fresh && report.Previous != nil {
		b.cfg.warn("the index was lost, and this host can't open its own packs: this backup uploads everything again")
	}
	report.Saved, err = vault.Backup(ctx, vault.BackupConfig{
		Repository: repo.Repository, Host: b.host, Index: b.idx, Database: i, Files: i,
		State: b.home.State, Spool: int64(b.config.Spool), Workers: b.config.Workers,
		Version: b.cfg.Version, Progress: b.cfg.Progress,
	})
	return err
}

// open opens the host's repository.
func (b *backup) open(ctx context.Context) (*Repository, error) {
	first, err := b.config.firstRemote()
	if err != nil {
		return nil, err
	}
	if len(b.config.Remotes) > 1 {
		b.cfg.warn("this version uses the first remote only")
	}
	l, err := b.config.Locate(ctx, first, b.cfg.Observer)
	if err != nil {
		return nil, err
	}
	l.Pin = cmp.Or(l.Pin, b.host.Repository)
	repo, err := l.Open(ctx, b.idx)
	if errors.Is(err, vault.ErrNoRepository) {
		return nil, b.noRepository(err)
	}
	return repo, err
}

// noRepository says why the host's repository may be absent. A host that has seen
// a snapshot has completed init.
func (b *backup) noRepository(err error) error {
	fix := "mount the folder, or correct the URL in " + b.config.File
	if lastKnown(b.idx).Unasked {
		fix += "; " + StartOver(b.home.SetupFiles())
	}
	return &remedy.Error{Kind: remedy.NoRepository, Err: err, Fix: fix}
}
