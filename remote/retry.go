package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"
)

// Retries wait up to 2, 4, 8, 16, 32 and 64 seconds: two minutes at most, one
// minute on average. A longer outage is left to the agent.
const (
	maxTries  = 7
	firstWait = 2 * time.Second
)

// WithRetry returns a store that repeats a request after [ErrUnreachable]: seven
// tries within about two minutes, with random waits in growing spans. Refused
// credentials, missing objects, a full storage, a wrong certificate, an unknown
// host name and mistakes of the caller are final at once.
//
// Get repeats until the first byte. A stream that breaks later ends with an error
// and never continues from another answer: the caller hashes the stream, and gets
// the object again. List repeats until the first object.
//
// patience bounds the time of all waits of a request, as [Config.Patience] does; 0
// means no bound. If s is a [Pruner], the returned store is a Pruner too.
func WithRetry(s Store, patience time.Duration) Store {
	r := retrying{s, patience}
	if p, ok := s.(Pruner); ok {
		return retryingPruner{r, p}
	}
	return r
}

// retrying is a store with retries.
type retrying struct {
	Store
	patience time.Duration
}

func (r retrying) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	return r.retry(ctx, func() error { return r.Store.Put(ctx, name, body, size) })
}

func (r retrying) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := r.retry(ctx, func() (err error) {
		if body, err = r.Store.Get(ctx, name); err != nil {
			return err
		}
		body, err = awaitByte(body)
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

// retry calls do until the error is not transient. remote is for the log. patience
// bounds the time of all waits; 0 means no bound.
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

// transient reports whether a retry may succeed.
func transient(err error) bool {
	if certificate := (*tls.CertificateVerificationError)(nil); errors.As(err, &certificate) {
		return false
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && dns.IsNotFound {
		return false
	}
	return errors.Is(err, ErrUnreachable) && !withoutTLS(err)
}
