package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"holdfast/manifest"
	"holdfast/pack"
	"holdfast/remedy"
	"holdfast/remote"
)

// fetchTries limits the tries to read an object whose stream breaks.
const fetchTries = 4

// fetch reads one object, again from its start if the stream breaks:
//
//	f := repo.fetch(object)
//	for f.next(ctx) {
//		f.done(use(f))
//	}
//	err := f.end(ctx)
//
// An object that does not exist is [ErrDamage]. So is an object that the remote
// can't read while it reads others, as after rot on the server's disk.
type fetch struct {
	repo   *Repository
	object string
	tries  int
	over   bool // no other try helps
	err    error

	body   io.ReadCloser
	broken error // why the stream of this try broke
}

func (r *Repository) fetch(object string) *fetch { return &fetch{repo: r, object: object} }

// next opens the object for another try. Before a second try, next waits. next
// returns false after a successful try, and when another try can't help.
func (f *fetch) next(ctx context.Context) bool {
	if f.over || f.tries == fetchTries || ctx.Err() != nil && f.tries > 0 {
		return false
	}
	if f.tries > 0 {
		select {
		case <-time.After(time.Second << f.tries):
		case <-ctx.Done():
			f.err = ctx.Err()
			return false
		}
	}
	f.tries++
	body, err := f.repo.store.Get(ctx, f.object)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.err = fmt.Errorf("%w: the object is gone", ErrDamage)
		return false
	case err != nil:
		f.err = &storageError{err: err}
		return false
	}
	f.body, f.broken = body, nil
	return true
}

// Read reads the object's bytes.
func (f *fetch) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.broken = err
	}
	return n, err
}

// done ends a try. err is the result of reading.
func (f *fetch) done(err error) {
	f.body.Close()
	if f.err, f.over = err, true; f.broken != nil {
		f.err, f.over = &storageError{err: f.broken, stream: true}, false
	}
}

// end returns the result of the last try.
func (f *fetch) end(ctx context.Context) error {
	failed := (*storageError)(nil)
	if ctx.Err() == nil && errors.As(f.err, &failed) && f.repo.readsOthers(ctx, f.object) {
		f.err = &unreadableError{failed}
	}
	if f.err != nil {
		return fmt.Errorf("read %s: %w", f.object, f.err)
	}
	return nil
}

// storageError is a failure of the storage, and not of the reader.
type storageError struct {
	err    error
	stream bool // the stream broke: another try may help
}

func (e *storageError) Error() string {
	if e.stream {
		return "the stream broke: " + e.err.Error()
	}
	return e.err.Error()
}

func (e *storageError) Unwrap() error { return e.err }

// unreadableError means that the remote can't read an object and reads others.
// Unwrap returns [ErrDamage] alone: neither the network nor the credentials are
// at fault.
type unreadableError struct{ cause error }

func (e *unreadableError) Error() string {
	return "can't be read, while others can: " + remedy.Line(e.cause).Error()
}

func (e *unreadableError) Unwrap() error { return ErrDamage }

// readsOthers reports whether the remote reads any other object.
func (r *Repository) readsOthers(ctx context.Context, than string) bool {
	// A remote that does not answer fails here, and not for each candidate.
	for _, err := range r.store.List(ctx, manifest.KeyObjectPrefix) {
		if err != nil {
			return false
		}
	}
	// An attacker can make many objects that nobody can read. Objects that were read
	// before, or that records name, come first.
	const slow, most = 3, 100 // tries that wait for the remote, and tries in all
	tried, waited := 0, 0
	for _, name := range r.likelyReadable() {
		if name == than {
			continue
		}
		err := r.readByte(ctx, name)
		if err == nil {
			r.noteReadable(name)
			return true
		}
		if errors.Is(err, remote.ErrUnreachable) {
			waited++
		}
		if tried++; tried == most || waited == slow {
			return false
		}
	}
	return false
}

// likelyReadable returns objects, the likeliest to be readable first: those that records
// name, then any small objects, and some packs at the end, if only junk is left beside
// the packs.
func (r *Repository) likelyReadable() (names []string) {
	r.mu.Lock()
	names = append(names, r.readable)
	r.mu.Unlock()
	if r.log.Len() > 0 {
		names = append(names, manifest.RecordObject(r.log.Head().Name()))
		for _, k := range r.log.Keys() {
			names = append(names, k.Object())
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		_, listed := r.objects.size(name)
		return !listed
	})
	names = append(names, r.sample(manifest.KeyObjectPrefix, 40)...)
	names = append(names, r.sample(manifest.RecordObjectPrefix, 40)...)
	return append(names, r.sample(manifest.PackObjectPrefix, 3)...)
}

// sample returns at most n objects of a kind that have a byte, in no order.
func (r *Repository) sample(prefix string, n int) (names []string) {
	for name, size := range r.objects.named(prefix) {
		if len(names) == n {
			break
		}
		if size > 0 {
			names = append(names, prefix+name.Hex())
		}
	}
	return names
}

// noteReadable notes an object that the remote reads.
func (r *Repository) noteReadable(object string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readable = object
}

// readByte reads the first byte of an object.
func (r *Repository) readByte(ctx context.Context, object string) error {
	body, err := r.store.Get(ctx, object)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.ReadFull(body, make([]byte, 1))
	return err
}

// get reads a whole object of at most limit bytes, and compares the hash of the
// bytes with the object's name.
func (r *Repository) get(ctx context.Context, object string, limit int64) ([]byte, error) {
	var text bytes.Buffer
	if size, _ := r.objects.size(object); size > 0 && size <= limit { // more bytes than the LIST says are damage
		limit = size
		text.Grow(int(size) + bytes.MinRead)
	}
	f := r.fetch(object)
	for f.next(ctx) {
		text.Reset()
		n, err := io.Copy(&text, io.LimitReader(f, limit+1))
		_, want, _ := manifest.ParseObject(object)
		if err == nil && (n > limit || sha256.Sum256(text.Bytes()) != want) {
			err = fmt.Errorf("its bytes don't hash to its name: %w", ErrDamage)
		}
		f.done(err)
	}
	if err := f.end(ctx); err != nil {
		return nil, err
	}
	r.noteReadable(object)
	return text.Bytes(), nil
}

// packFetch is a fetch of a pack. next also opens the reader, and done checks
// the whole pack.
type packFetch struct {
	*fetch
	pack   manifest.Pack
	snap   *Snapshot
	reader *pack.Reader
}

// fetchPack reads the bytes of a pack through reader.
func (s *Snapshot) fetchPack(number uint32, reader *pack.Reader) (*packFetch, error) {
	p, ok := s.packs[number]
	if !ok {
		return nil, fmt.Errorf("read pack %d: the record does not name it: %w", number, ErrDamage)
	}
	return &packFetch{s.repo.fetch(p.Object()), p, s, reader}, nil
}

func (f *packFetch) next(ctx context.Context) bool {
	for f.fetch.next(ctx) {
		err := f.reader.Open(f.fetch, f.pack.Name, f.pack.Size, f.snap.opener)
		if err == nil {
			return true
		}
		f.fail(err)
	}
	return false
}

func (f *packFetch) done(err error) {
	if err == nil {
		err = f.reader.Close()
	}
	f.fail(err)
}

// fail ends a try. A pack that breaks its format is damaged.
func (f *packFetch) fail(err error) {
	if errors.Is(err, pack.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrDamage, err)
	}
	f.fetch.done(err)
}
