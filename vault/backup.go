package vault

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/seal"
)

// backup is one run. The stages run in turn: database, files and media fill
// found, listing fills rec and snap from found, and commit puts the record.
type backup struct {
	cfg    BackupConfig
	repo   *Repository
	idx    *index.Index
	ship   *shipper
	found  *catalog
	rec    *manifest.Record
	snap   index.Snapshot
	report BackupReport

	read, readBytes atomic.Int64 // files of media and files that were read, and their bytes
}

// Backup stores the instance as a new snapshot on top of the repository's
// newest record. Backup puts the record last, once a LIST shows every object
// that the record names. If Backup fails earlier, the next run finds the packs
// already in the remote.
func Backup(ctx context.Context, cfg BackupConfig) (*BackupReport, error) {
	if cfg.Workers == 0 {
		cfg.Workers = 2
	}
	if err := buildable(cfg.Repository, cfg.Host); err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	b, err := newBackup(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer b.found.close()
	defer b.ship.disk.Close()
	g, gctx := errgroup.WithContext(ctx)
	for range uploaders {
		g.Go(func() error { return b.ship.upload(gctx) })
	}
	g.Go(func() error {
		defer b.ship.close()
		if err := b.ship.resume(gctx); err != nil {
			return err
		}
		for {
			whole, err := b.database(gctx)
			if err != nil {
				return err
			}
			if whole {
				break
			}
		}
		if err := b.files(gctx); err != nil {
			return err
		}
		if err := b.media(gctx); err != nil {
			return err
		}
		return b.listing(gctx)
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	b.report.Packs = b.ship.count
	if err := b.commit(ctx); err != nil {
		return nil, err
	}
	b.report.Record = b.rec
	return &b.report, nil
}

// buildable returns an error if this host may not continue the log.
func buildable(repo *Repository, host *seal.Host) error {
	if host.Repository != repo.ID {
		return fmt.Errorf("this host's key is for %s: %w", host.Repository, ErrOtherRoot)
	}
	if err := repo.buildable(); err != nil {
		return err
	}
	own := host.Certificate
	if g := repo.Head().Certificate.Generation; g > own.Generation {
		return fmt.Errorf("this host's key is of generation %d, and a key of generation %d has taken over: %w",
			own.Generation, g, ErrRefused)
	}
	repo.log.Continue(own)
	if len(repo.log.Heads()) == 0 {
		return fmt.Errorf("snapshot %.10s, after which this host's key takes over, is gone from %s: %w",
			own.After, repo.store, ErrDamage)
	}
	return nil
}

// newBackup prepares a run. Objects that the remote lost are put back from the
// copies of this host, and the index learns the state of the remote.
func newBackup(ctx context.Context, cfg BackupConfig) (*backup, error) {
	sealer, err := seal.NewSealer(cfg.Host.Recipient)
	if err != nil {
		return nil, err
	}
	b := &backup{cfg: cfg, repo: cfg.Repository, idx: cfg.Index, snap: index.Snapshot{Trails: map[string]string{}}}
	b.rec = &manifest.Record{
		Format: manifest.RecordFormat, Kind: manifest.KindBackup,
		Repository: cfg.Host.Repository, Instance: cfg.Host.Instance,
		Started: now(), Holdfast: cfg.Version, Epoch: cfg.Host.Epoch,
	}
	b.report.Warnings = slices.Clone(b.repo.Warnings)
	care := upkeep{repo: cfg.Repository, idx: cfg.Index, state: cfg.State, report: &b.report}
	if err := care.run(ctx); err != nil {
		return nil, err
	}
	if b.ship, err = newShipper(sealer, cfg); err != nil {
		return nil, err
	}
	if warning := b.ship.warning(cfg); warning != "" {
		b.report.Warnings = append(b.report.Warnings, warning)
	}
	b.found, err = newCatalog(cfg.State)
	return b, err
}

func now() time.Time { return recorded(time.Now()) }

// recorded is a time as records have it.
func recorded(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
