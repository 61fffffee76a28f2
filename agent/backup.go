package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"holdfast/instance"
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
		err = explainFull(err, h.State, os.TempDir())
		report.Duration = time.Since(began)
		report.log(ctx, err)
	}()
	b, err := h.openBackup(cfg)
	if err != nil {
		return report, err
	}
	defer func() {
		standing := lastKnown(b.idx)
		report.Standing = &standing
		if unlockErr := b.close(); unlockErr != nil { // the snapshot is safe all the same
			cfg.warn("%v", unlockErr)
		}
	}()
	job, err := b.prepare(ctx, report)
	if err != nil {
		return report, err
	}
	report.Saved, err = vault.Backup(ctx, job)
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

// backup is a running backup: it holds the lock and the index, then also the instance
// and the repository.
type backup struct {
	home     Home
	cfg      BackupConfig
	config   *Config
	host     *seal.Host
	unlock   func() error
	idx      *index.Index
	fresh    bool // this run made a new index
	instance *instance.Instance
	repo     *Repository
}

// openBackup reads configuration and host key, and takes the lock and the index.
func (h Home) openBackup(cfg BackupConfig) (*backup, error) {
	b := &backup{home: h, cfg: cfg}
	var err error
	if b.config, err = h.Config(); err != nil {
		return nil, err
	}
	if b.host, err = h.Host(); err != nil {
		return nil, err
	}
	if b.unlock, err = h.Lock("backup"); err != nil {
		return nil, err
	}
	if b.idx, b.fresh, err = index.Open(h.State); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// close releases everything that the backup holds, the lock last.
func (b *backup) close() error {
	if b.repo != nil {
		b.repo.Close()
	}
	if b.instance != nil {
		b.instance.Close()
	}
	if b.idx != nil {
		b.idx.Close()
	}
	return b.unlock()
}

// prepare opens the instance and the repository, and says what vault has to do.
func (b *backup) prepare(ctx context.Context, report *BackupReport) (job vault.BackupConfig, err error) {
	if b.instance, err = b.config.OpenInstance(ctx, b.cfg.Observer); err != nil {
		return job, err
	}
	if err := b.config.CheckOutside(b.instance, b.home.State); err != nil {
		return job, err
	}
	if b.host.Instance != b.instance.Domain() {
		return job, &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("this host's key belongs to %s, but GoToSocial's configuration belongs to %s",
				b.host.Instance, b.instance.Domain()),
			Fix: "correct instance.gotosocial; another instance needs its own state folder and repository " +
				"(holdfast init)"}
	}
	if b.repo, err = b.open(ctx); err != nil {
		return job, err
	}
	report.Previous = manifest.History(b.repo.Records()).Latest()
	if b.fresh && report.Previous != nil {
		b.cfg.warn("the index was lost, and this host can't open its own packs: this backup uploads everything again")
	}
	return vault.BackupConfig{
		Repository: b.repo.Repository, Host: b.host, Index: b.idx, Database: b.instance, Files: b.instance,
		State: b.home.State, Spool: int64(b.config.Spool), Workers: b.config.Workers,
		Version: b.cfg.Version, Progress: b.cfg.Progress,
	}, nil
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
	repo, err := openAt(ctx, l, b.idx)
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
