package remotetest

import (
	"context"
	"io"
	"sync"
	"time"

	"holdfast/remote"
)

// Slow is a store behind a slow line: the bodies of all Puts and Gets together move
// BytesPerSecond. A second read of a body costs the same time again.
type Slow struct {
	remote.Store
	BytesPerSecond int64

	mu   sync.Mutex // guards free
	free time.Time  // the time when the line becomes free
}

// Put implements [remote.Store].
func (s *Slow) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	return s.Store.Put(ctx, name, readerAtFunc(func(p []byte, offset int64) (int, error) {
		n, err := body.ReadAt(p, offset)
		if waitErr := s.carry(ctx, n); waitErr != nil {
			return 0, waitErr
		}
		return n, err
	}), size)
}

// Get implements [remote.Store].
func (s *Slow) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	body, err := s.Store.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	read := readerFunc(func(p []byte) (int, error) {
		n, err := body.Read(p)
		if waitErr := s.carry(ctx, n); waitErr != nil {
			return 0, waitErr
		}
		return n, err
	})
	return struct {
		io.Reader
		io.Closer
	}{read, body}, nil
}

// Delete implements [remote.Pruner], if the wrapped store is a Pruner. A Delete has
// no body and costs no time.
func (s *Slow) Delete(ctx context.Context, name string) error { return remove(ctx, s.Store, name) }

// carry waits until the line has moved n more bytes.
func (s *Slow) carry(ctx context.Context, n int) error {
	s.mu.Lock()
	now := time.Now()
	if s.free.Before(now) {
		s.free = now
	}
	s.free = s.free.Add(time.Duration(float64(n) / float64(s.BytesPerSecond) * float64(time.Second)))
	delay := s.free.Sub(now)
	s.mu.Unlock()
	return wait(ctx, delay)
}

// readerFunc is a function as an [io.Reader].
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// readerAtFunc is a function as an [io.ReaderAt].
type readerAtFunc func(p []byte, offset int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, offset int64) (int, error) { return f(p, offset) }
