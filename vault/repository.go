// Package vault is the mechanism over a repository: back up an instance,
// restore a snapshot into a folder, and verify the objects in the remote.
package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remote"
	"holdfast/seal"
)

// Errors that a person can act on. A command gives each error an exit code.
var (
	ErrNoRepository = errors.New("there is no repository")
	ErrNoSnapshot   = errors.New("no such snapshot")
	ErrEmpty        = errors.New("the repository holds no snapshot")
	ErrNoFile       = errors.New("no such file in the snapshot")
	ErrBusy         = errors.New("another process is at work there")
	ErrOtherRoot    = errors.New("the storage holds another repository")
	ErrWrongKey     = errors.New("the identity opens no key of the repository")
	ErrDamage       = errors.New("damage found")
	ErrRefused      = errors.New("refused for safety")
	ErrSource       = errors.New("the instance could not be read")
)

// Repository is the state of a remote at the last LIST, as its records tell.
type Repository struct {
	// ID names the root key that certifies every record of the repository.
	ID seal.RepositoryID
	// Warnings are for a person to look at. All work can continue. Examples are
	// forks, and objects that do not count as records.
	Warnings []string

	store   remote.Store
	index   *index.Index // nil unless this is the host
	objects map[string]remote.Object
	log     manifest.Log
	newest  *manifest.Record        // by sequence: the only record in log with its packs
	named   map[manifest.Hash]int64 // packs that any record names, and their sizes
	sizes   map[manifest.Hash]int64 // of the records' bytes

	badMu sync.Mutex              // guards bad while several goroutines read records
	bad   map[manifest.Hash]error // objects that do not count as records
}

// Open lists the remote and reads all its records. pin is the expected ID. With
// a zero pin, Open accepts the repository that the records agree on: the caller
// shows the ID to a person and asks. idx caches records; away from the host,
// idx is nil.
func Open(ctx context.Context, store remote.Store, pin seal.RepositoryID, idx *index.Index) (*Repository, error) {
	r := &Repository{
		ID: pin, store: store, index: idx,
		named: map[manifest.Hash]int64{}, sizes: map[manifest.Hash]int64{}, bad: map[manifest.Hash]error{},
	}
	if err := r.list(ctx, ""); err != nil {
		return nil, err
	}
	if err := r.readNew(ctx); err != nil {
		return nil, err
	}
	if err := r.recallHead(); err != nil {
		return nil, err
	}
	if r.log.Len() == 0 {
		return nil, r.whyNone()
	}
	r.warn()
	return r, nil
}

// warn fills Warnings.
func (r *Repository) warn() {
	for name, err := range r.bad {
		object := manifest.RecordObject(name)
		if unreadable := (*unreadableError)(nil); errors.As(err, &unreadable) {
			r.Warnings = append(r.Warnings,
				fmt.Sprintf("%s %v; if the object is a snapshot, the snapshot is not listed", object, err))
		} else {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s does not count as a record: %v", object, err))
		}
	}
	slices.Sort(r.Warnings)
	if heads := r.log.Heads(); len(heads) > 1 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the log is forked: snapshots %s and %s both continue the log; "+
			"did two hosts back up at once, or is a copy of the host's key in use?", heads[0].ID(), heads[1].ID()))
	}
}

// list lists the remote below prefix, and replaces the known objects of the
// prefix.
func (r *Repository) list(ctx context.Context, prefix string) error {
	objects := map[string]remote.Object{}
	for name, o := range r.objects {
		if !strings.HasPrefix(name, prefix) {
			objects[name] = o
		}
	}
	for o, err := range r.store.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("list %s: %w", r.store, err)
		}
		objects[o.Name] = o
	}
	r.objects = objects
	return nil
}

// recordNames returns the names of all objects in the place of records, sorted.
func (r *Repository) recordNames() []manifest.Hash {
	var names []manifest.Hash
	for object := range r.objects {
		hex, ok := strings.CutPrefix(object, manifest.RecordObjectPrefix)
		if name, err := manifest.ParseHex(hex); ok && err == nil {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b manifest.Hash) int { return bytes.Compare(a[:], b[:]) })
	return names
}

// readNew reads all unread records. No record can be skipped: only a record's
// own certificate tells the generation.
func (r *Repository) readNew(ctx context.Context) error {
	var unseen []manifest.Hash
	for _, name := range r.recordNames() {
		if r.log.Record(name) != nil || r.bad[name] != nil {
			continue
		}
		text, err := r.cached(name)
		if err != nil {
			return err
		}
		if text == nil {
			unseen = append(unseen, name)
			continue
		}
		r.accept(name, text)
	}
	const batch = 8 // records in memory
	for names := range slices.Chunk(unseen, batch) {
		texts := make([][]byte, len(names))
		g, gctx := errgroup.WithContext(ctx)
		for i, name := range names {
			g.Go(func() (err error) {
				texts[i], err = r.readRecord(gctx, name)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i, name := range names {
			if texts[i] == nil || !r.accept(name, texts[i]) || r.index == nil {
				continue
			}
			if err := r.index.PutRecord(name, texts[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// readRecord reads a record's bytes from the remote. For a damaged record,
// readRecord notes the damage and returns nil: the other records stay readable.
func (r *Repository) readRecord(ctx context.Context, name manifest.Hash) ([]byte, error) {
	text, err := r.get(ctx, manifest.RecordObject(name), manifest.MaxRecord)
	if errors.Is(err, ErrDamage) {
		r.badMu.Lock()
		defer r.badMu.Unlock()
		r.bad[name] = errors.Unwrap(err) // the object's name is known
		return nil, nil
	}
	return text, err
}

// cached returns a record's bytes as this host saw them, or nil.
func (r *Repository) cached(name manifest.Hash) ([]byte, error) {
	if r.index == nil {
		return nil, nil
	}
	return r.index.Record(name)
}

// accept adds a record to the log if the record counts. accept keeps the pack
// lists of the newest record only: memory grows with the packs, not with the
// nights. Load reads the pack lists again.
func (r *Repository) accept(name manifest.Hash, text []byte) bool {
	rec, err := r.check(name, text)
	if err != nil {
		r.bad[name] = err
		return false
	}
	r.ID = rec.Repository
	for _, packs := range rec.Packs {
		for _, p := range packs {
			r.named[p.Name] = p.Size
		}
	}
	r.log.Add(rec)
	r.sizes[name] = int64(len(text))
	if r.newest == nil || rec.Sequence > r.newest.Sequence {
		rec, r.newest = r.newest, rec
	}
	if rec != nil {
		rec.DropPacks()
	}
	return true
}

// check parses a record of this repository.
func (r *Repository) check(name manifest.Hash, text []byte) (*manifest.Record, error) {
	if sha256.Sum256(text) != name {
		return nil, fmt.Errorf("its bytes don't hash to its name: %w", ErrDamage)
	}
	rec, err := manifest.ParseRecord(text)
	if err != nil {
		return nil, err
	}
	if !r.ID.IsZero() && rec.Repository != r.ID {
		return nil, fmt.Errorf("%w: %s instead of %s", ErrOtherRoot, rec.Repository, r.ID)
	}
	return rec, nil
}

// Load returns a record with its pack lists.
func (r *Repository) Load(ctx context.Context, rec *manifest.Record) (*manifest.Record, error) {
	if rec == r.newest || rec.Kind != manifest.KindBackup {
		return rec, nil
	}
	text, err := r.cached(rec.Name())
	if err != nil {
		return nil, err
	}
	if text == nil {
		if text, err = r.get(ctx, manifest.RecordObject(rec.Name()), manifest.MaxRecord); err != nil {
			return nil, err
		}
	}
	return r.check(rec.Name(), text)
}

// whyNone returns why no record counts.
func (r *Repository) whyNone() error {
	for _, err := range r.bad {
		if errors.Is(err, ErrOtherRoot) {
			return fmt.Errorf("open %s: %w", r.store, err)
		}
	}
	for name, err := range r.bad {
		return fmt.Errorf("open %s: %d records found, none valid; first problem: %s: %w: %w",
			r.store, len(r.bad), manifest.RecordObject(name), ErrDamage, err)
	}
	for name := range r.objects {
		if strings.HasPrefix(name, "packs/") {
			return fmt.Errorf("open %s: every record is gone, and packs are still there: "+
				"holdfast backup on the instance's server puts back its copies of the records: %w",
				r.store, ErrDamage)
		}
	}
	return fmt.Errorf("open %s: %w", r.store, ErrNoRepository)
}

// recallHead adds the newest record that this host knows, if the remote lost
// every record and still has packs of the newest. A backup can then put the
// records back.
func (r *Repository) recallHead() error {
	if r.log.Len() > 0 || len(r.bad) > 0 || r.index == nil {
		return nil
	}
	name, err := r.index.Head()
	if err != nil {
		return err
	}
	text, err := r.index.Record(name)
	if err != nil || text == nil {
		return err
	}
	rec, err := r.check(name, text)
	if err != nil {
		return nil // a record of another repository
	}
	for _, p := range rec.Inventory() {
		if r.objects[p.Object()].Size == p.Size {
			r.accept(name, text)
			return nil
		}
	}
	return nil
}

// Head returns the newest record.
func (r *Repository) Head() *manifest.Record { return r.log.Head() }

// Records returns all kept records, newest first, after [manifest.Record.DropPacks]:
// PackCount tells the number of packs, and Load returns a record with its pack lists. Verify reports the records that
// are gone or damaged.
func (r *Repository) Records() manifest.History { return r.log.Records() }

// Keeps reports whether the log keeps a record whose name starts with these
// hexadecimal digits.
func (r *Repository) Keeps(start string) bool { return r.log.Keeps(start) }

// listed reports whether the last LIST shows a record.
func (r *Repository) listed(name manifest.Hash) bool {
	_, there := r.objects[manifest.RecordObject(name)]
	return there
}

// lost returns the kept records that are absent from the last LIST, or have
// changed their size.
func (r *Repository) lost() []manifest.Hash {
	return slices.DeleteFunc(r.log.Kept(), func(name manifest.Hash) bool {
		size := r.objects[manifest.RecordObject(name)].Size
		return r.listed(name) && (r.log.Record(name) == nil || size == r.sizes[name])
	})
}

// holds reports whether the last LIST shows every pack of a record at its size.
func (r *Repository) holds(rec *manifest.Record) bool {
	for _, packs := range rec.Packs {
		for _, p := range packs {
			if r.objects[p.Object()].Size != p.Size {
				return false
			}
		}
	}
	return true
}

// buildable returns an error if an unreadable record may be the newest. A
// backup without that record would fork the log, or give up a snapshot.
func (r *Repository) buildable() error {
	for name, err := range r.bad {
		if errors.Is(err, manifest.ErrNewer) {
			return fmt.Errorf("%s: %w: %w", manifest.RecordObject(name), ErrRefused, err)
		}
		if unreadable := (*unreadableError)(nil); errors.As(err, &unreadable) && !r.log.Mentions(name) {
			return fmt.Errorf("%s may be the newest record, and %w", manifest.RecordObject(name), err)
		}
	}
	return nil
}

// highest returns the highest pack number of the newest record.
func (r *Repository) highest() uint32 { return r.newest.MaxPack() }
