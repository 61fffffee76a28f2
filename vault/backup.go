package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// backup is one run.
type backup struct {
	repo *Repository
	host *seal.Host
	idx  *index.Index
	src  FileSource
	cfg  BackupConfig
	ship *shipper

	known  map[uint32]index.Pack // the packs that may be named, when a pass began
	report BackupReport

	read, readBytes atomic.Int64 // files of media and files that were read, and their bytes
}

// Backup stores the instance as a new snapshot on top of the repository's
// newest record. The record is put last, after a LIST showed everything that it
// names; a run that fails before leaves packs that the next run finds again.
func Backup(ctx context.Context, cfg BackupConfig) (*BackupReport, error) {
	repo, host, idx := cfg.Repository, cfg.Host, cfg.Index
	if cfg.Workers == 0 {
		cfg.Workers = 2
	}
	if host.Repository != repo.ID {
		return nil, fmt.Errorf("back up: this host's key is for %s: %w", host.Repository, ErrOtherRoot)
	}
	if err := repo.buildable(); err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	if g := repo.Head().Certificate.Generation; g > host.Certificate.Generation {
		return nil, fmt.Errorf("back up: this host's key is of generation %d, and another of generation %d has taken over: %w", host.Certificate.Generation, g, ErrRefused)
	}
	if repo.host = host.Certificate; len(repo.heads()) == 0 {
		return nil, fmt.Errorf("back up: snapshot %.10s, after which this host's key takes over, is gone from %s: %w", host.Certificate.After, repo.store, ErrDamage)
	}
	sealer, err := seal.NewSealer(host.Recipient)
	if err != nil {
		return nil, err
	}
	b := &backup{repo: repo, host: host, idx: idx, src: cfg.Files, cfg: cfg}
	b.report.Warnings = slices.Clone(repo.Warnings)
	if err := b.recall(ctx); err != nil {
		return nil, err
	}
	if err := b.keepKeys(ctx); err != nil {
		return nil, err
	}
	if err := b.settle(); err != nil {
		return nil, err
	}
	if b.ship, err = newShipper(repo.store, idx, sealer, cfg); err != nil {
		return nil, err
	}
	if b.ship.limit < b.ship.room {
		b.report.Warnings = append(b.report.Warnings, b.ship.cramped(cfg)+": without room for a spool, a slow remote makes many passes over the database")
	}
	rec := &manifest.Record{
		Format: manifest.RecordFormat, Kind: manifest.KindBackup, Repository: host.Repository, Instance: host.Instance,
		Started: now(), Holdfast: cfg.Version, Epoch: host.Epoch, Parts: map[manifest.Part]manifest.Total{},
	}

	g, gctx := errgroup.WithContext(ctx)
	for range uploaders {
		g.Go(func() error { return b.ship.upload(gctx) })
	}
	var snap index.Snapshot
	g.Go(func() (err error) {
		defer b.ship.end()
		snap, err = b.store(gctx, rec)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	b.report.Packs = b.ship.count
	if err := b.commit(ctx, rec, snap); err != nil {
		return nil, err
	}
	b.report.Record = rec
	return &b.report, nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// settle brings the index to what the remote's LIST shows.
func (b *backup) settle() error {
	packs, err := b.idx.Packs()
	if err != nil {
		return err
	}
	spooled := spooledPacks(b.cfg.State)
	var gone []uint32
	for _, p := range packs {
		o, there := b.repo.objects[p.Object()]
		whole := there && o.Size == p.Size
		_, named := b.repo.named[p.Name]
		switch {
		case whole && named && p.State != index.Committed:
			// Its record arrived, and the run died before it heard so.
			err = b.idx.SetState(p.Number, index.Committed)
		case whole && p.State == index.Pending:
			err = b.idx.SetState(p.Number, index.Stored)
		case p.State == index.Committed && !named:
			// Every record that named it was retired: it may be deleted.
			gone = append(gone, p.Number)
		case whole, p.State == index.Pending && spooled[p.Name] == p.Size:
		default:
			gone = append(gone, p.Number)
		}
		if err != nil {
			return err
		}
	}
	lost := 0
	for name, size := range b.repo.named {
		if b.repo.objects[manifest.Pack{Name: name}.Object()].Size != size {
			lost++
		}
	}
	if lost > 0 {
		b.damage("holdfast verify names the packs and the snapshots that they hurt: copy them back from a mirror",
			"packs of earlier snapshots that are gone from the remote or have another size: %d; what this backup needs of them is stored again", lost)
	}
	return b.idx.Drop(gone)
}

// damage notes what is wrong with the remote and what a person does about it.
func (b *backup) damage(fix, format string, args ...any) {
	b.report.Damage = true
	b.report.Warnings = append(b.report.Warnings, fmt.Sprintf(format, args...))
	if !slices.Contains(b.report.Fixes, fix) {
		b.report.Fixes = append(b.report.Fixes, fix)
	}
}

// store brings every part into the remote and fills the record.
func (b *backup) store(ctx context.Context, rec *manifest.Record) (index.Snapshot, error) {
	var snap index.Snapshot
	if err := b.ship.resume(ctx); err != nil {
		return snap, err
	}
	l, err := b.newListing(rec)
	if err != nil {
		return snap, err
	}
	defer l.close()
	if err := b.database(ctx, rec, l); err != nil {
		return snap, err
	}
	if err := b.files(ctx, l); err != nil {
		return snap, err
	}
	if err := b.media(ctx, l); err != nil {
		return snap, err
	}
	return l.finish(ctx)
}

// commit puts the record, once a LIST showed everything that it names.
func (b *backup) commit(ctx context.Context, rec *manifest.Record, snap index.Snapshot) error {
	b.cfg.Progress.begin("commit", 0, 0)
	// Where this run put nothing, the opening LIST still speaks for all.
	if b.report.Packs > 0 {
		if err := b.repo.list(ctx, ""); err != nil {
			return err
		}
		if err := b.repo.readNew(ctx); err != nil {
			return err
		}
		if err := b.repo.buildable(); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	heads := b.repo.heads()
	rec.Previous, rec.Kept, rec.Retired, rec.Keys = nil, nil, nil, b.repo.keys()
	for _, head := range heads {
		rec.Previous = append(rec.Previous, head.Name())
		rec.Sequence = max(rec.Sequence, head.Sequence+1)
		for _, name := range head.Retired {
			if _, there := b.repo.objects[manifest.RecordObject(name)]; there && !slices.Contains(rec.Retired, name) {
				rec.Retired = append(rec.Retired, name)
			}
		}
	}
	for name := range b.repo.kept() {
		rec.Kept = append(rec.Kept, name)
	}
	slices.SortFunc(rec.Kept, func(a, b manifest.Hash) int { return bytes.Compare(a[:], b[:]) })
	if err := b.shown(rec); err != nil {
		return err
	}
	rec.Stored = b.ship.bytes
	rec.Finished = now()
	text, err := rec.Sign(b.host)
	if err != nil {
		return err
	}
	if err := b.repo.store.Put(ctx, manifest.RecordObject(rec.Name()), bytes.NewReader(text), int64(len(text))); err != nil {
		return fmt.Errorf("store record: %w", err)
	}
	if err := b.repo.list(ctx, manifest.RecordObjectPrefix); err != nil {
		return err
	}
	if _, there := b.repo.objects[manifest.RecordObject(rec.Name())]; !there {
		return fmt.Errorf("store record: the remote took it and does not list it: %w", ErrDamage)
	}
	for _, name := range b.repo.recordNames() {
		if name != rec.Name() && b.repo.records[name] == nil && b.repo.bad[name] == nil {
			b.report.Warnings = append(b.report.Warnings, fmt.Sprintf("another snapshot, %s, appeared meanwhile: the log is forked, and the next backup joins it", name))
		}
	}
	snap.Name, snap.Text = rec.Name(), text
	return b.idx.Commit(snap)
}

// shown checks that the last LIST shows everything that the record names.
// Without a pack it would be no snapshot; without a key object it is one that
// somebody has to look after.
func (b *backup) shown(rec *manifest.Record) error {
	var gone []string
	for _, k := range rec.Keys {
		if o, ok := b.repo.objects[k.Object()]; !ok || o.Size != k.Size {
			gone = append(gone, k.Object())
		}
	}
	switch b.report.KeysGone = len(gone) == len(rec.Keys); {
	case b.report.KeysGone:
		b.damage(keysGoneFix, "every key object is gone from the remote or has another size (%s): nobody can open this snapshot, or any other there", strings.Join(gone, ", "))
	case len(gone) > 0:
		b.damage("copy the key objects back from a mirror",
			"key objects that are gone from the remote or have another size: %s; their owners can't restore, only those of the others can", strings.Join(gone, ", "))
	}
	for _, packs := range rec.Packs {
		for _, p := range packs {
			if o, ok := b.repo.objects[p.Object()]; !ok || o.Size != p.Size {
				return fmt.Errorf("commit: %s was stored, and the remote does not list it at its size; nothing was recorded, run the backup again: %w", p.Object(), ErrDamage)
			}
		}
	}
	return nil
}

// ownKeysFix is what helps where the instance's server still has its copies.
const ownKeysFix = "delete the object if it is there, and run holdfast backup on the instance's server, which puts it back where the folder keys of its state folder has a copy"

// keysGoneFix is what is left to do where no key object is left.
const keysGoneFix = "copy the objects below keys/ back from a mirror; where there is none, nothing that is stored there can be opened any more: " +
	"move the configuration and the state folder away and run holdfast init with a new prefix or folder"

// errSpoolFull ends a pass over the database.
var errSpoolFull = errors.New("the spool is full")
