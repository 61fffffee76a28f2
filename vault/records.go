package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/remote"
)

// list lists the remote below prefix, and replaces the known objects of the
// prefix. After an error only some of these objects are known.
func (r *Repository) list(ctx context.Context, prefix string) error {
	r.objects.forget(prefix)
	for o, err := range r.store.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("list %s: %w", r.store, err)
		}
		if r.objects.set(o.Name, o.Size); r.objects.count() > maxObjects {
			return fmt.Errorf("list %s: more than %d objects, and no repository has so many: "+
				"the LIST was given up; find out who filled the storage: %w", r.store, maxObjects, remote.ErrEndless)
		}
	}
	return nil
}

// listWaits are the waits of listUntil. Some storages list an object seconds after
// its Put.
var listWaits = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// listUntil lists the remote below prefix until the LIST shows what was put, or
// until listWaits have passed.
func (r *Repository) listUntil(ctx context.Context, prefix string, shown func() bool) error {
	for _, wait := range listWaits {
		if err := r.list(ctx, prefix); err != nil || shown() {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return r.list(ctx, prefix)
}

// recordNames returns the names of all objects in the place of records, sorted.
func (r *Repository) recordNames() []manifest.Hash {
	var names []manifest.Hash
	for name := range r.objects.named(manifest.RecordObjectPrefix) {
		names = append(names, name)
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
		size, _ := r.objects.size(manifest.RecordObject(name))
		switch {
		case text != nil:
			r.accept(name, text)
		case size > manifest.MaxRecord:
			r.bad[name] = fmt.Errorf("it has %d bytes, and a record has at most %d", size, manifest.MaxRecord)
		default:
			unseen = append(unseen, name)
		}
	}
	for len(unseen) > 0 {
		names := r.batch(unseen)
		unseen = unseen[len(names):]
		if err := r.readBatch(ctx, names); err != nil {
			return err
		}
	}
	return nil
}

// batch returns the first of these records: as many as may be in memory at once.
func (r *Repository) batch(names []manifest.Hash) []manifest.Hash {
	const most = 8
	var size int64
	for i, name := range names {
		one, _ := r.objects.size(manifest.RecordObject(name))
		size += one
		if i == most || i > 0 && size > manifest.MaxRecord {
			return names[:i]
		}
	}
	return names
}

// readBatch reads records side by side.
func (r *Repository) readBatch(ctx context.Context, names []manifest.Hash) error {
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
	return nil
}

// readRecord reads a record's bytes from the remote. For a damaged record,
// readRecord notes the damage and returns nil: the other records stay readable.
func (r *Repository) readRecord(ctx context.Context, name manifest.Hash) ([]byte, error) {
	text, err := r.get(ctx, manifest.RecordObject(name), manifest.MaxRecord)
	if errors.Is(err, ErrDamage) {
		r.mu.Lock()
		defer r.mu.Unlock()
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
	delete(r.bad, name)
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
		return nil, remedy.Line(err)
	}
	if r.roots != nil {
		r.roots[rec.Repository] = rec.Instance
	}
	if !r.ID.IsZero() && rec.Repository != r.ID {
		return nil, fmt.Errorf("%w: %s instead of %s", ErrOtherRoot, rec.Repository, r.ID)
	}
	return rec, nil
}
