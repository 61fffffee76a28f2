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

// BackupConfig says what to back up, and how.
type BackupConfig struct {
	// Required.
	Repository *Repository    // opened with Index
	Host       *seal.Host     // the key that signs the record
	Index      *index.Index   // of the host
	Database   DatabaseSource // the instance's database
	Files      FileSource     // the instance's media and files part
	State      string         // the folder of the spool and of temporary files

	// Optional: the zero value is the documented default.
	Spool    int64     // bytes of packs that may wait on disk for the remote; 0: 1 GiB
	Workers  int       // goroutines that compress and seal; 0: 2
	Version  string    // of the program, for the record
	Progress *Progress // kept up to date during the backup
}

// BackupReport is what a backup did.
type BackupReport struct {
	Record *manifest.Record
	// Missing are files that could not be saved, with the reason where it is
	// not that they are gone: the snapshot is saved, and incomplete.
	Missing []string
	// LeftOut are what was left out on purpose, each with what it is: folders that
	// links lead to. The snapshot counts as complete.
	LeftOut  []string
	Packs    int   // that were put
	Passes   int   // over the database
	NewFiles int64 // files of media and files that were read
	// Warnings are what somebody should look at. With Damage, objects that
	// snapshots need are gone from the remote or changed there, and Fixes say
	// what to do. With KeysGone nobody can open this snapshot, or any other.
	Warnings []string
	Damage   bool
	Fixes    []string
	KeysGone bool
}

// backup is one run. Its stages run one after another: files, database and media
// fill found, listing fills rec and snap from found, commit puts the record.
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

// Backup stores the instance as a new snapshot on top of the repository's newest
// record. Backup puts the record last, once a LIST shows every object that the
// record names. If Backup fails earlier, the next run finds the packs that
// arrived.
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

// buildable returns why this host may not continue the log, or nil.
func buildable(repo *Repository, host *seal.Host) error {
	if host.Repository != repo.ID {
		return fmt.Errorf("this host's key is for %s: %w", host.Repository, ErrOtherRoot)
	}
	if err := repo.buildable(); err != nil {
		return err
	}
	own := host.Certificate
	if g := repo.Head().Certificate.Generation; g > own.Generation {
		return fmt.Errorf("this host's key is of generation %d, and a key of generation %d has taken over: %w", own.Generation, g, ErrRefused)
	}
	repo.log.Continue(own)
	if len(repo.log.Heads()) == 0 {
		return fmt.Errorf("snapshot %.10s, after which this host's key takes over, is gone from %s: %w", own.After, repo.store, ErrDamage)
	}
	return nil
}

// newBackup prepares a run: it puts back what the remote lost and this host has
// copies of, and brings the index to what the remote holds.
func newBackup(ctx context.Context, cfg BackupConfig) (*backup, error) {
	sealer, err := seal.NewSealer(cfg.Host.Recipient)
	if err != nil {
		return nil, err
	}
	b := &backup{cfg: cfg, repo: cfg.Repository, idx: cfg.Index, snap: index.Snapshot{Trails: map[string]string{}}}
	b.rec = &manifest.Record{
		Format: manifest.RecordFormat, Kind: manifest.KindBackup, Repository: cfg.Host.Repository, Instance: cfg.Host.Instance,
		Started: now(), Holdfast: cfg.Version, Epoch: cfg.Host.Epoch,
	}
	b.report.Warnings = slices.Clone(b.repo.Warnings)
	if err := b.putBackRecords(ctx); err != nil {
		return nil, err
	}
	if err := b.keepKeys(ctx); err != nil {
		return nil, err
	}
	if err := b.settle(); err != nil {
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

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// damage notes what is wrong with the remote and what a person does about it.
func (b *backup) damage(fix, format string, args ...any) {
	b.report.Damage = true
	b.report.Warnings = append(b.report.Warnings, fmt.Sprintf(format, args...))
	if !slices.Contains(b.report.Fixes, fix) {
		b.report.Fixes = append(b.report.Fixes, fix)
	}
}
