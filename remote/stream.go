package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
)

// stream is an object's bytes on the way to the caller of Get.
type stream struct {
	io.Reader
	io.Closer
}

// readerFunc is a function as an [io.Reader].
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// withContext returns a reader that fails with the context's error once the
// context has ended.
func withContext(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

// explained returns a reader that passes each error of r but io.EOF to explain.
func explained(r io.Reader, explain func(error) error) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if err != nil && err != io.EOF {
			err = explain(err)
		}
		return n, err
	})
}

// awaitByte waits for the first byte of body, or for the end. After an error the
// body is closed, and a Get can be repeated.
func awaitByte(body io.ReadCloser) (io.ReadCloser, error) {
	first := make([]byte, 1)
	n, err := io.ReadFull(body, first)
	if err != nil && err != io.EOF {
		body.Close()
		return nil, err
	}
	return stream{io.MultiReader(bytes.NewReader(first[:n]), body), body}, nil
}

// loan lends a Put's body to the HTTP client. The client may still read when the
// request is over: after an early answer or a cancelled context. After end the
// body belongs to the caller again.
type loan struct {
	mu   sync.Mutex // guards the fields below
	body io.Reader  // nil after end
	left int64      // bytes
	err  error      // of body
}

func (l *loan) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.body == nil {
		return 0, errors.New("the request is over")
	}
	n, err := l.body.Read(p)
	l.left -= int64(n)
	if err == io.EOF && l.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		l.err = err
	}
	return n, err
}

// end takes the body back and returns the body's error.
func (l *loan) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.body = nil
	return l.err
}
