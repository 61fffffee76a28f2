package remote

import (
	"context"
	"io"
)

// stream is an object's bytes on their way to the caller of Get. fail says what
// a read error means.
type stream struct {
	io.Reader
	io.Closer
	fail func(error) error
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = s.fail(err)
	}
	return n, err
}

// stopping ends a read of local bytes when its context does.
type stopping struct {
	ctx context.Context
	io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}
