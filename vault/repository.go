// Package vault is the mechanism: it backs up an instance into a repository,
// restores it from there, and verifies what the repository holds.
package vault

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remote"
	"holdfast/seal"
)

// What a person has to know to act; the command line gives each its exit code.
var (
	ErrNoRepository = errors.New("there is no repository")
	ErrNoSnapshot   = errors.New("no such snapshot")
	ErrNoFile       = errors.New("no such file in the snapshot")
	ErrBusy         = errors.New("another process is at work there")
	ErrOtherRoot    = errors.New("the repository is another one")
	ErrWrongKey     = errors.New("the identity opens no key of the repository")
	ErrDamage       = errors.New("damage found")
	ErrRefused      = errors.New("refused for safety")
	ErrSource       = errors.New("the instance could not be read")
)

// Repository is a remote as its records tell it at one moment.
type Repository struct {
	// ID is the root that every record of it descends from.
	ID seal.RepositoryID
	// Warnings are things that don't stop any work and that somebody should
	// look at: records that don't count, forks.
	Warnings []string

	store   remote.Store
	index   *index.Index // or nil, away from the host
	objects map[string]remote.Object
	records map[manifest.Hash]*manifest.Record
	newest  *manifest.Record        // of records, by sequence: the only one with its packs
	named   map[manifest.Hash]int64 // packs that any record names, and their sizes
	sizes   map[manifest.Hash]int64 // of records' bytes
	bad     map[manifest.Hash]error // objects among the records that don't count
	host    seal.Certificate        // of the host that backs up, else zero
}

// Open lists the remote and reads the records that it takes to know the head.
// A zero pin accepts whatever one root the records agree on: the caller shows
// the ID and asks. idx caches records; nil away from the host.
func Open(ctx context.Context, store remote.Store, pin seal.RepositoryID, idx *index.Index) (*Repository, error) {
	r := &Repository{ID: pin, store: store, index: idx,
		records: map[manifest.Hash]*manifest.Record{}, named: map[manifest.Hash]int64{}, sizes: map[manifest.Hash]int64{}, bad: map[manifest.Hash]error{}}
	if err := r.list(ctx, ""); err != nil {
		return nil, err
	}
	if err := r.readNew(ctx); err != nil {
		return nil, err
	}
	if err := r.remember(); err != nil {
		return nil, err
	}
	if len(r.records) == 0 {
		return nil, r.whyNone()
	}
	for name, err := range r.bad {
		object := manifest.RecordObject(name)
		if rot := (*unreadableError)(nil); errors.As(err, &rot) {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s %v; if it is a snapshot, that one is not listed", object, err))
		} else {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s does not count as a record: %v", object, err))
		}
	}
	slices.Sort(r.Warnings)
	if heads := r.heads(); len(heads) > 1 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the log is forked: snapshots %s and %s continue it side by side; did two hosts back up at once, or is a copy of the host's key in use?", heads[0].ID(), heads[1].ID()))
	}
	return r, nil
}

// list replaces what is known of the objects below prefix by a new LIST.
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

// recordNames returns the names of all objects that lie where records lie.
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

// readNew reads the records that were not seen yet, all of them: only a
// record's own certificate tells whether it is of the newest generation, so
// none can be skipped on another's word.
func (r *Repository) readNew(ctx context.Context) error {
	var unseen []manifest.Hash
	for _, name := range r.recordNames() {
		if r.records[name] != nil || r.bad[name] != nil {
			continue
		}
		if text, err := r.cached(name); err != nil {
			return err
		} else if text != nil {
			r.accept(name, text)
		} else {
			unseen = append(unseen, name)
		}
	}
	texts, unread := make([][]byte, len(unseen)), make([]*unreadableError, len(unseen))
	const atOnce = 8
	for from := 0; from < len(unseen); from += atOnce {
		to := min(from+atOnce, len(unseen))
		g, gctx := errgroup.WithContext(ctx)
		for i := from; i < to; i++ {
			g.Go(func() (err error) {
				texts[i], err = r.get(gctx, manifest.RecordObject(unseen[i]), manifest.MaxRecord)
				if errors.As(err, &unread[i]) || errors.Is(err, ErrDamage) {
					return nil // one bad record must not keep anybody from the others
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i := from; i < to; i++ {
			if unread[i] != nil {
				r.bad[unseen[i]] = unread[i]
				continue
			}
			ok := r.accept(unseen[i], texts[i])
			if ok && r.index != nil {
				if err := r.index.PutRecord(unseen[i], texts[i]); err != nil {
					return err
				}
			}
			texts[i] = nil
		}
	}
	return nil
}

// cached is a record's bytes as this host saw them, or nil.
func (r *Repository) cached(name manifest.Hash) ([]byte, error) {
	if r.index == nil {
		return nil, nil
	}
	return r.index.Record(name)
}

// superseded reports whether a record that counts as much names this one.
func (r *Repository) superseded(old *manifest.Record) bool {
	for _, rec := range r.records {
		if rec.Certificate.Generation >= old.Certificate.Generation &&
			(slices.Contains(rec.Kept, old.Name()) || slices.Contains(rec.Retired, old.Name())) {
			return true
		}
	}
	return false
}

// accept takes a record in if it counts. Of all but the newest it keeps no
// pack lists, which Load reads again: memory grows with the packs there are,
// not with the nights that named them.
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
	r.records[name], r.sizes[name] = rec, int64(len(text))
	if r.newest == nil || rec.Sequence > r.newest.Sequence {
		rec, r.newest = r.newest, rec
	}
	if rec != nil {
		rec.Packs, rec.ListingAt = nil, nil
	}
	return true
}

func (r *Repository) check(name manifest.Hash, text []byte) (*manifest.Record, error) {
	if sha256.Sum256(text) != name {
		return nil, fmt.Errorf("its bytes don't hash to its name: %w", ErrDamage)
	}
	rec, err := manifest.ParseRecord(text)
	if err != nil {
		return nil, err
	}
	if !r.ID.IsZero() && rec.Repository != r.ID {
		return nil, fmt.Errorf("%w: it belongs to %s, not to %s", ErrOtherRoot, rec.Repository, r.ID)
	}
	return rec, nil
}

// Load returns a record whole, with its packs.
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

// whyNone says why there is no record that counts.
func (r *Repository) whyNone() error {
	for _, err := range r.bad {
		if errors.Is(err, ErrOtherRoot) {
			return fmt.Errorf("open %s: %w", r.store, err)
		}
	}
	for name, err := range r.bad {
		return fmt.Errorf("open %s: none of its %d records counts: %s: %w: %w", r.store, len(r.bad), manifest.RecordObject(name), ErrDamage, err)
	}
	for name := range r.objects {
		if strings.HasPrefix(name, "packs/") {
			return fmt.Errorf("open %s: every record is gone, and packs are still there: holdfast backup on the instance's server puts back what it has copies of: %w", r.store, ErrDamage)
		}
	}
	return fmt.Errorf("open %s: %w", r.store, ErrNoRepository)
}

// remember takes the newest record that this host knows, where the remote lost
// all and still has packs of it: a backup then puts them back. A remote with
// records of another repository is another one.
func (r *Repository) remember() error {
	if len(r.records) > 0 || len(r.bad) > 0 || r.index == nil {
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
		return nil // it is none of this repository's
	}
	for _, p := range rec.Inventory() {
		if r.objects[p.Object()].Size == p.Size {
			r.accept(name, text)
			return nil
		}
	}
	return nil
}

// heads are the records that no other continues, the best first. A record of
// an older generation of the host's key is none: it counts only as far as a
// record of a newer generation lists it.
func (r *Repository) heads() []*manifest.Record {
	generation := r.host.Generation
	for _, rec := range r.records {
		generation = max(generation, rec.Certificate.Generation)
	}
	var heads []*manifest.Record
	for _, rec := range r.records {
		if rec.Certificate.Generation == generation && !r.superseded(rec) {
			heads = append(heads, rec)
		}
	}
	if len(heads) == 0 {
		// The first record of a new generation goes on where the certificate
		// says that the one before ended, whatever its key signed since.
		for _, rec := range r.records {
			if rec.Name().Hex() == r.host.After {
				heads = append(heads, rec)
			}
		}
	}
	slices.SortFunc(heads, newestFirst)
	return heads
}

func newestFirst(a, b *manifest.Record) int {
	an, bn := a.Name(), b.Name()
	return cmp.Or(cmp.Compare(b.Sequence, a.Sequence), bytes.Compare(an[:], bn[:]))
}

// Head is the newest record.
func (r *Repository) Head() *manifest.Record { return r.heads()[0] }

// Records are all records that are still kept, newest first, without their
// packs (Load has them). Those that are gone or damaged are left out; Verify
// tells of them.
func (r *Repository) Records() []*manifest.Record {
	var all []*manifest.Record
	for name := range r.kept() {
		if rec := r.records[name]; rec != nil {
			all = append(all, rec)
		}
	}
	slices.SortFunc(all, newestFirst)
	return all
}

// keys are the key objects of the newest record, and those that only other ones
// name: who stole the host's key may sign a record that names none.
func (r *Repository) keys() []manifest.Key {
	keys := slices.Clone(r.Head().Keys)
	for _, rec := range slices.SortedFunc(maps.Values(r.records), newestFirst) {
		for _, k := range rec.Keys {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// kept are the names of all records that the heads keep, and of the heads.
func (r *Repository) kept() map[manifest.Hash]bool {
	kept := map[manifest.Hash]bool{}
	for _, head := range r.heads() {
		kept[head.Name()] = true
		for _, name := range head.Kept {
			kept[name] = true
		}
	}
	return kept
}

// Keeps reports whether a record is kept whose name starts so.
func (r *Repository) Keeps(start string) bool {
	for name := range r.kept() {
		if strings.HasPrefix(name.Hex(), strings.ToLower(start)) {
			return true
		}
	}
	return false
}

// minID is how much of a record's name has to be written.
const minID = 4

// Find returns a snapshot, whole: "latest" or "" for the newest backup, else
// the start of a record's name, at least 4 digits, or its sequence number.
func (r *Repository) Find(ctx context.Context, which string) (*manifest.Record, error) {
	latest := which == "" || which == "latest"
	var found []*manifest.Record
	for _, rec := range r.Records() {
		if rec.Kind != manifest.KindBackup {
			continue
		}
		if latest {
			return r.Load(ctx, rec)
		}
		if fmt.Sprint(rec.Sequence) == which || len(which) >= minID && strings.HasPrefix(rec.Name().Hex(), strings.ToLower(which)) {
			found = append(found, rec)
		}
	}
	switch {
	case len(found) == 1:
		return r.Load(ctx, found[0])
	case len(found) > 1:
		return nil, fmt.Errorf("find snapshot %q: it names %s and %s; write more of the one you mean: %w", which, found[0].ID(), found[1].ID(), ErrNoSnapshot)
	case latest:
		return nil, fmt.Errorf("find snapshot: the repository has none yet: %w", ErrNoSnapshot)
	case len(which) < minID && strings.Trim(strings.ToLower(which), "0123456789abcdef") == "":
		return nil, fmt.Errorf("find snapshot %q: none has that number, and of an ID write %d digits at least: %w", which, minID, ErrNoSnapshot)
	}
	return nil, fmt.Errorf("find snapshot %q: %w", which, ErrNoSnapshot)
}

// mentions reports whether any record knows this one: as kept, or as retired.
func (r *Repository) mentions(name manifest.Hash) bool {
	for _, rec := range r.records {
		if slices.Contains(rec.Kept, name) || slices.Contains(rec.Retired, name) {
			return true
		}
	}
	return false
}

// lacks reports whether a record is gone that nobody retired.
func (r *Repository) lacks(name manifest.Hash) bool {
	_, there := r.objects[manifest.RecordObject(name)]
	return !name.IsZero() && !there && !r.mentions(name)
}

// lost are the kept records that the LIST lacks, or shows at another size than
// they had when they were seen.
func (r *Repository) lost() (lost []manifest.Hash) {
	for name := range r.kept() {
		o, there := r.objects[manifest.RecordObject(name)]
		if !there || r.records[name] != nil && o.Size != r.sizes[name] {
			lost = append(lost, name)
		}
	}
	slices.SortFunc(lost, func(a, b manifest.Hash) int { return bytes.Compare(a[:], b[:]) })
	return lost
}

// holds reports whether the LIST shows every pack of a record at its size.
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

// buildable refuses to build on a log in which a record can't be read that may be
// the newest: to leave it aside would fork the log, or give up a snapshot.
func (r *Repository) buildable() error {
	for name, err := range r.bad {
		rot := (*unreadableError)(nil)
		if errors.Is(err, manifest.ErrNewer) {
			return fmt.Errorf("%s: %w: %w", manifest.RecordObject(name), ErrRefused, err)
		}
		if errors.As(err, &rot) && !r.mentions(name) {
			return fmt.Errorf("%s may be the newest record, and %w", manifest.RecordObject(name), err)
		}
	}
	return nil
}

// highest is the highest pack number of the newest record.
func (r *Repository) highest() uint32 { return r.newest.MaxPack() }

// maxKeyObject bounds a sealed key object.
const maxKeyObject = 2 << 20

// Unlock opens the repository's keys with any of the identities.
func (r *Repository) Unlock(ctx context.Context, identities []seal.Identity) (*seal.Keys, error) {
	var broken error
	for _, k := range r.keys() {
		object, err := r.get(ctx, k.Object(), maxKeyObject)
		if err == nil {
			var keys *seal.Keys
			if keys, err = seal.OpenKeys(object, r.ID, identities); err == nil {
				return keys, nil
			}
		}
		if !errors.Is(err, seal.ErrNotOwner) {
			broken = err
		}
	}
	if broken != nil {
		return nil, fmt.Errorf("unlock: %w", broken)
	}
	return nil, fmt.Errorf("unlock: %w", ErrWrongKey)
}
