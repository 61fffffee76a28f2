package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"holdfast/remote"
)

// tries is how often an object is read where its stream breaks on the way.
const tries = 4

// read streams an object through use, again from its start where the stream
// broke. An object that is gone is [ErrDamage]; so is one that the storage does
// not give while it gives others: rot on the server's disk looks like that.
func (r *Repository) read(ctx context.Context, object string, use func(io.Reader) error) error {
	var err error
	for try := range tries {
		if try > 0 {
			select {
			case <-time.After(time.Second << try):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err = r.readOnce(ctx, object, use)
		if broken := (*storageError)(nil); ctx.Err() != nil || !errors.As(err, &broken) || !broken.stream {
			break
		}
	}
	if failed := (*storageError)(nil); ctx.Err() == nil && errors.As(err, &failed) && r.gives(ctx, object) {
		err = &rotten{failed}
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", object, err)
	}
	return nil
}

func (r *Repository) readOnce(ctx context.Context, object string, use func(io.Reader) error) error {
	body, err := r.store.Get(ctx, object)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it is gone: %w: %w", ErrDamage, err)
	}
	if err != nil {
		return &storageError{err: err}
	}
	defer body.Close()
	source := &brokenReader{r: body}
	if err := use(source); source.err == nil {
		return err
	}
	return &storageError{err: source.err, stream: true}
}

// brokenReader remembers why a stream broke.
type brokenReader struct {
	r   io.Reader
	err error
}

func (b *brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// storageError is a failure of the storage, and not of what reads from it.
type storageError struct {
	err    error
	stream bool // it broke on the way: worth another try
}

func (e *storageError) Error() string {
	if e.stream {
		return "the stream broke: " + e.err.Error()
	}
	return e.err.Error()
}

func (e *storageError) Unwrap() error { return e.err }

// rotten is an object that the storage doesn't give while it gives others.
// It unwraps to [ErrDamage] alone: neither network nor credentials are to blame.
type rotten struct{ why error }

func (e *rotten) Error() string { return "can't be read, while others can: " + e.why.Error() }

func (e *rotten) Unwrap() error { return ErrDamage }

// gives reports whether the storage gives any object but this one.
func (r *Repository) gives(ctx context.Context, but string) bool {
	// A storage that is away fails here, once, instead of with each candidate.
	for _, err := range r.store.List(ctx, "keys/") {
		if err != nil {
			return false
		}
	}
	const enough = 3
	tried := 0
	for name := range r.objects {
		// The small ones, of which there always is a record.
		if name == but || strings.HasPrefix(name, "packs/") || remote.CheckName(name) != nil {
			continue
		}
		if r.firstByte(ctx, name) == nil {
			return true
		}
		if tried++; tried == enough {
			return false
		}
	}
	return false
}

func (r *Repository) firstByte(ctx context.Context, object string) error {
	body, err := r.store.Get(ctx, object)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.ReadFull(body, make([]byte, 1))
	return err
}
