package remotetest

import (
	"context"
	"io"
	"sync"
	"time"

	"holdfast/remote"
)

// Slow is a store at the end of a thin line: the bodies of all Puts and Gets
// together move BytesPerSecond. A body that is read again costs again.
type Slow struct {
	remote.Store
	BytesPerSecond int64

	mu   sync.Mutex // guards free
	free time.Time  // when the line has carried what was asked of it so far
}

func (s *Slow) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	return s.Store.Put(ctx, name, slowReaderAt{ctx, s, body}, size)
}

func (s *Slow) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	body, err := s.Store.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return slowReader{ctx, s, body}, nil
}

// Delete has no body and costs nothing.
func (s *Slow) Delete(ctx context.Context, name string) error { return remove(ctx, s.Store, name) }

// carry returns when the line has carried n more bytes.
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

type slowReaderAt struct {
	ctx  context.Context // of the one call that reads
	line *Slow
	io.ReaderAt
}

func (r slowReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, offset)
	if werr := r.line.carry(r.ctx, n); werr != nil {
		return 0, werr
	}
	return n, err
}

type slowReader struct {
	ctx  context.Context // of the one call that reads
	line *Slow
	io.ReadCloser
}

func (r slowReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if werr := r.line.carry(r.ctx, n); werr != nil {
		return 0, werr
	}
	return n, err
}
