package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// Waits of up to 2, 4, 8, 16, 32 and 64 seconds: two minutes at most, one on
// average. A storage that is away for longer is the agent's business.
const (
	maxTries  = 7
	firstWait = 2 * time.Second
)

// WithRetry returns a store that repeats what failed with [ErrUnreachable], up
// to seven times within about two minutes, waiting a random part of a doubling
// span in between. Refused credentials, missing objects, a full storage, a wrong
// certificate, an unknown host name and the caller's own mistakes are final at
// once.
//
// Get is repeated until the first byte came. A stream that breaks later ends
// with an error and is never continued from another answer: the caller, who
// hashes it, gets the object again. List is repeated until it yielded something.
//
// If s is a [Pruner], the returned store is a Pruner too.
func WithRetry(s Store) Store {
	r := retrying{s, 0}
	if p, ok := s.(Pruner); ok {
		return retryingPruner{r, p}
	}
	return r
}

type retrying struct {
	Store
	patience time.Duration // of [Config]
}

func (r retrying) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	return r.retry(ctx, func() error { return r.Store.Put(ctx, name, body, size) })
}

func (r retrying) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := r.retry(ctx, func() (err error) {
		body, err = firstByte(r.Store.Get(ctx, name))
		return err
	})
	return body, err
}

func (r retrying) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		yielded, stopped := false, false
		err := r.retry(ctx, func() error {
			for object, err := range r.Store.List(ctx, prefix) {
				if err != nil && !yielded {
					return err
				}
				yielded = true
				if !yield(object, err) || err != nil {
					stopped = true
					return nil
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield(Object{}, err)
		}
	}
}

// retryingPruner is a retrying store whose store is a Pruner.
type retryingPruner struct {
	retrying
	pruner Pruner
}

func (r retryingPruner) Delete(ctx context.Context, name string) error {
	return r.retry(ctx, func() error { return r.pruner.Delete(ctx, name) })
}

func (r retrying) retry(ctx context.Context, do func() error) error {
	return retry(ctx, r.String(), r.patience, do)
}

// retry does what failed as unreachable again. remote is for the log. A patience
// that is not 0 ends the waiting earlier.
func retry(ctx context.Context, remote string, patience time.Duration, do func() error) error {
	start := time.Now()
	for try := 1; ; try++ {
		err := do()
		if err == nil || ctx.Err() != nil || !transient(err) {
			return err
		}
		wait := rand.N(firstWait << (try - 1))
		left := patience - time.Since(start)
		if patience != 0 {
			wait = min(wait, left)
		}
		if try == maxTries || patience != 0 && left <= 0 {
			return fmt.Errorf("%w (tried %d times)", err, try)
		}
		slog.WarnContext(ctx, "remote retry", "remote", remote, "wait", wait, "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%w (while waiting to retry: %v)", ctx.Err(), err)
		}
	}
}

func transient(err error) bool {
	if certificate := (*tls.CertificateVerificationError)(nil); errors.As(err, &certificate) {
		return false
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && dns.IsNotFound {
		return false
	}
	return errors.Is(err, ErrUnreachable) && !errors.Is(err, http.ErrSchemeMismatch)
}

// firstByte waits for body's first byte or its end, so that Get can still be
// repeated when there is none.
func firstByte(body io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	first := make([]byte, 1)
	n, err := io.ReadFull(body, first)
	if err != nil && err != io.EOF {
		body.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:n]), body), body}, nil
}
