// Package vault is the mechanism over a repository: back up an instance,
// restore a snapshot into a folder, and verify the objects in the remote.
package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remedy"
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

// unclear is an error of a name that fits something else than one snapshot or file. The
// text says what the name fits, and leaves out the cause, which would contradict it.
type unclear struct {
	text  string
	cause error
}

func (u *unclear) Error() string { return u.text }

func (u *unclear) Unwrap() error { return u.cause }

// Repository is the state of a remote at the last LIST, as its records tell.
type Repository struct {
	// ID names the root key that certifies every record of the repository.
	ID seal.RepositoryID
	// Warnings are for a person to look at. All work can continue. Examples are
	// forks, and objects that do not count as records.
	Warnings []string

	store   remote.Store
	index   *index.Index // nil unless this is the host
	objects objects
	log     manifest.Log
	newest  *manifest.Record        // by sequence: the only record in log with its packs
	named   map[manifest.Hash]int64 // packs that any record names, and their sizes
	sizes   map[manifest.Hash]int64 // of the records' bytes

	roots map[seal.RepositoryID]string // of all records, with an instance of each; nil with a pin

	mu       sync.Mutex              // guards what follows while several goroutines read records
	bad      map[manifest.Hash]error // objects that do not count as records
	readable string                  // an object that was read, or ""
}

// Open lists the remote and reads all its records. pin is the expected ID. With
// a zero pin, Open accepts the repository that the records agree on: the caller
// shows the ID to a person and asks. idx caches records; away from the host,
// idx is nil.
func Open(ctx context.Context, store remote.Store, pin seal.RepositoryID, idx *index.Index) (*Repository, error) {
	r := &Repository{
		ID: pin, store: store, index: idx, objects: newObjects(),
		named: map[manifest.Hash]int64{}, sizes: map[manifest.Hash]int64{}, bad: map[manifest.Hash]error{},
	}
	if pin.IsZero() {
		r.roots = map[seal.RepositoryID]string{}
	}
	if err := r.list(ctx, ""); err != nil {
		return nil, err
	}
	if err := r.readNew(ctx); err != nil {
		return nil, err
	}
	if len(r.roots) > 1 {
		return nil, r.severalRoots()
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

// maxRoots bounds the repositories that the error of severalRoots names.
const maxRoots = 5

// severalRoots is the error of a remote with records of several roots. Without a
// pin, nobody can tell the right root: whoever writes to the remote can add one.
func (r *Repository) severalRoots() error {
	var all []string
	for id, instance := range r.roots {
		all = append(all, fmt.Sprintf("%s of %s", id, remedy.Cut(instance)))
	}
	slices.Sort(all)
	if more := len(all) - maxRoots; more > 0 {
		all = append(all[:maxRoots], fmt.Sprintf("%d more", more))
	}
	return &remedy.Error{
		Kind:   remedy.Refused,
		What:   fmt.Sprintf("open %s: it holds several repositories: %s", r.store, strings.Join(all, " and ")),
		Effect: "nothing was read: somebody may have put a repository of his own there",
		Fix:    "compare the IDs with your recovery kit, and use the URL of the kit, which ends with #hf1…",
		Err:    ErrOtherRoot,
	}
}

// maxWarnings bounds the warnings about objects that do not count as records.
const maxWarnings = 20

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
	if more := len(r.Warnings) - maxWarnings; more > 0 {
		r.Warnings = append(r.Warnings[:maxWarnings:maxWarnings],
			fmt.Sprintf("%d more objects below %s do not count as records; holdfast verify names them all",
				more, manifest.RecordObjectPrefix))
	}
	if heads := r.log.Heads(); len(heads) > 1 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the log is forked: snapshots %s and %s both continue the log; "+
			"did two hosts back up at once, or is a copy of the host's key in use?", heads[0].ID(), heads[1].ID()))
	}
	if n := r.objects.count(); n > maxObjects/4*3 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the storage holds %d objects, and Holdfast reads at most %d: "+
			"find out who wrote them, or begin a repository under a new prefix", n, maxObjects))
	}
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
		return fmt.Errorf("open %s: %s found, none valid; first problem: %s: %w: %w",
			r.store, units.Count(len(r.bad), "record"), manifest.RecordObject(name), ErrDamage, err)
	}
	for range r.objects.named(manifest.PackObjectPrefix) {
		return fmt.Errorf("open %s: every record is gone, and packs are still there: "+
			"holdfast backup on the instance's server puts back its copies of the records: %w",
			r.store, ErrDamage)
	}
	return fmt.Errorf("open %s: %w", r.store, ErrNoRepository)
}

// recallHead adds the newest record that this host knows, if the remote lost
// every record and still has packs of the newest. A backup can then put the
// records back. Objects that do not count as records do not matter.
func (r *Repository) recallHead() error {
	if r.log.Len() > 0 || r.index == nil {
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
		if r.objects.has(p.Object(), p.Size) {
			r.accept(name, text)
			return nil
		}
	}
	return nil
}

// Head returns the newest record.
func (r *Repository) Head() *manifest.Record { return r.log.Head() }

// Records returns all kept records, newest first, after [manifest.Record.DropPacks]:
// PackCount tells the number of packs, and Load returns a record with its pack lists.
// Verify reports the records that are gone or damaged.
func (r *Repository) Records() manifest.History { return r.log.Records() }

// Keeps reports whether the log keeps a record.
func (r *Repository) Keeps(name manifest.Hash) bool { return slices.Contains(r.log.Kept(), name) }

// listed reports whether the last LIST shows a record.
func (r *Repository) listed(name manifest.Hash) bool {
	_, there := r.objects.size(manifest.RecordObject(name))
	return there
}

// lost returns the kept records that are absent from the last LIST, or have
// changed their size.
func (r *Repository) lost() []manifest.Hash {
	return slices.DeleteFunc(r.log.Kept(), func(name manifest.Hash) bool {
		size, listed := r.objects.size(manifest.RecordObject(name))
		return listed && (r.log.Record(name) == nil || size == r.sizes[name])
	})
}

// holds reports whether the last LIST shows every pack of a record at its size.
func (r *Repository) holds(rec *manifest.Record) bool {
	for _, packs := range rec.Packs {
		for _, p := range packs {
			if !r.objects.has(p.Object(), p.Size) {
				return false
			}
		}
	}
	return true
}

// buildable returns an error if a newer version of Holdfast wrote a record: a
// backup on an older head would give up the record. An unreadable object does not
// end backups. If the object is the newest record, the backup forks the log: both
// snapshots survive, and a later backup joins the fork.
func (r *Repository) buildable() error {
	for name, err := range r.bad {
		if errors.Is(err, manifest.ErrNewer) {
			return fmt.Errorf("%s: %w: %w", manifest.RecordObject(name), ErrRefused, err)
		}
	}
	return nil
}

// highest returns the highest pack number of the newest record. A number that no honest
// host reaches counts as 0: after it, the numbers of 32 bits would soon end.
func (r *Repository) highest() uint32 {
	if n := r.newest.MaxPack(); n < maxContinued {
		return n
	}
	return 0
}

// maxContinued bounds the pack numbers of another host that a backup continues.
const maxContinued = 1 << 31
