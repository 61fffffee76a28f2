package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/seal"
	"holdfast/vault"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup",
		Short: "Back up the instance as a new snapshot",
		Long: `Back up the instance as a new snapshot, while the server runs. What an earlier
snapshot holds is not uploaded again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := a.backup(cmd.Context())
			if err != nil {
				return err
			}
			return a.tellBackup(report)
		},
	}
}

// backup makes one snapshot.
func (a *app) backup(ctx context.Context) (*backupReport, error) {
	frugal()
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	host, err := a.host()
	if err != nil {
		return nil, err
	}
	unlock, err := a.lock("backup")
	if err != nil {
		return nil, err
	}
	defer unlock()
	idx, fresh, err := index.Open(a.state)
	if err != nil {
		return nil, err
	}
	defer idx.Close()
	report, err := a.backupOver(ctx, c, host, idx, fresh)
	if err != nil {
		effect := "this host knows of no snapshot yet; holdfast list asks the storage"
		if records := lastKnown(idx); len(records) > 0 {
			effect = standing(records)
		}
		return nil, withEffect(err, effect)
	}
	return report, nil
}

func (a *app) backupOver(ctx context.Context, c *config, host *seal.Host, idx *index.Index, fresh bool) (*backupReport, error) {
	began := time.Now()
	i, err := c.Instance.open(a)
	if err != nil {
		return nil, err
	}
	defer i.Close()
	if err := a.apart(i, c.folders()...); err != nil {
		return nil, err
	}
	if host.Instance != i.Domain() {
		return nil, &problem{exit: exitRefused, err: fmt.Errorf("this host's key is for %s, GoToSocial's configuration is of %s", host.Instance, i.Domain()),
			fix: "correct instance.gotosocial; another instance needs its own state folder and repository (holdfast init)"}
	}
	repo, err := a.openHome(ctx, c, host, idx)
	if err != nil {
		return nil, err
	}
	defer repo.close()
	before := latest(repo.Records())
	if fresh && before != nil {
		a.warn("the index was lost, and this host can't open its own packs: everything is uploaded once more")
	}
	p := new(vault.Progress)
	var report *vault.BackupReport
	err = a.watch(ctx, "uploaded", p, func(ctx context.Context) (err error) {
		report, err = vault.Backup(ctx, vault.BackupConfig{
			Repository: repo.Repository, Host: host, Index: idx, Database: i, Files: i,
			State: a.state, Spool: int64(c.Spool), Workers: c.Workers, Version: version(), Progress: p,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &backupReport{report, before, time.Since(began)}, nil
}

type backupReport struct {
	*vault.BackupReport
	before *manifest.Record // the snapshot before this one, or nil
	took   time.Duration
}

// host reads the host's key.
func (a *app) host() (*seal.Host, error) {
	host, err := seal.LoadHost(a.hostFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &problem{exit: exitKey, err: fmt.Errorf("this host has no key: %s is missing", a.hostFile()),
			fix: fmt.Sprintf("name the right folder by --state, or bring %s back from a copy; where there is none, move %s and what is left of %s away and run holdfast init with a new prefix in the same bucket: the old snapshots stay restorable with the recovery kit",
				a.hostFile(), a.configFile, a.state)}
	}
	if err != nil {
		return nil, &problem{exit: exitKey, err: err, fix: "bring the file back as holdfast init wrote it"}
	}
	return host, nil
}

// openHome opens the repository that this host adds to.
func (a *app) openHome(ctx context.Context, c *config, host *seal.Host, idx *index.Index) (*repository, error) {
	if len(c.Remotes) == 0 {
		return nil, usage(fmt.Errorf("%s names no remote", a.configFile), "add one under remotes")
	}
	if len(c.Remotes) > 1 {
		a.warn("this version uses the first remote only")
	}
	at, err := a.configured(ctx, c.Remotes[0])
	if err != nil {
		return nil, err
	}
	at.pin = cmp.Or(at.pin, host.Repository)
	repo, err := at.open(ctx, idx)
	if errors.Is(err, vault.ErrNoRepository) {
		return nil, a.noRepository(err, idx)
	}
	return repo, err
}

// noRepository says what it may mean that the host's repository isn't there.
func (a *app) noRepository(err error, idx *index.Index) error {
	p := &problem{exit: exitNoRepository, err: err, fix: "mount the folder, or correct the URL in " + a.configFile}
	// Who has seen a snapshot there was set up whole.
	if len(lastKnown(idx)) == 0 {
		p.fix += "; " + cutOff(existing(a.setup()...))
	}
	return p
}

// latest is the newest snapshot of records that come newest first, or nil.
func latest(records []*manifest.Record) *manifest.Record {
	for _, rec := range records {
		if rec.Kind == manifest.KindBackup {
			return rec
		}
	}
	return nil
}

// complete is the newest of these snapshots that misses no file, or nil.
func complete(records []*manifest.Record) *manifest.Record {
	for _, rec := range records {
		if rec.Kind == manifest.KindBackup && rec.Missing == 0 {
			return rec
		}
	}
	return nil
}

// lastKnown are the records that this host knows of, newest first, down to the
// first complete snapshot: what there is to fall back on when the storage can't
// be asked.
func lastKnown(idx *index.Index) []*manifest.Record {
	var records []*manifest.Record
	name, err := idx.Head()
	for err == nil && !name.IsZero() && complete(records) == nil {
		text, err := idx.Record(name)
		if err != nil {
			return records
		}
		rec, err := manifest.ParseRecord(text)
		if err != nil {
			return records
		}
		records = append(records, rec)
		if len(rec.Previous) == 0 {
			return records
		}
		name = rec.Previous[0]
	}
	return records
}

// standing says what there is to fall back on. The records come newest first.
func standing(records []*manifest.Record) string {
	newest, whole := latest(records), complete(records)
	switch {
	case newest == nil:
		return "there is no complete snapshot yet"
	case whole == nil:
		return fmt.Sprintf("there is no complete snapshot yet; the newest, %s, is %s old and lacks %s", newest.ID(), elapsed(newest.Time), count(newest.Missing, "file"))
	case newest != whole:
		return fmt.Sprintf("the last complete snapshot, %s, is %s old; the newest, %s, lacks %s", whole.ID(), elapsed(whole.Time), newest.ID(), count(newest.Missing, "file"))
	}
	return fmt.Sprintf("the last complete snapshot, %s, is %s old", whole.ID(), elapsed(whole.Time))
}
