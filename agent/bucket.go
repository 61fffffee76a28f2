package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"time"

	"holdfast/instance"
	"holdfast/remote"
)

// OpenBucket opens the bucket that GoToSocial's configuration names, without a
// request to it; nil where the media are in a directory.
func OpenBucket(c *instance.Config, patience time.Duration) (instance.Bucket, error) {
	at, err := c.Bucket()
	if at == nil || err != nil {
		return nil, err
	}
	b, err := remote.OpenBucket(remote.BucketConfig(*at), patience)
	if err != nil {
		return nil, &instance.Problem{What: "GoToSocial's bucket", Err: err,
			Fix: "correct storage-s3-endpoint and storage-s3-bucket in GoToSocial's configuration"}
	}
	return bucket{b}, nil
}

// bucket makes a remote's bucket an instance.Bucket: its errors name the settings
// of GoToSocial, not those of the storage.
type bucket struct{ *remote.Bucket }

func (b bucket) List(ctx context.Context, after string) iter.Seq2[instance.Object, error] {
	return func(yield func(instance.Object, error) bool) {
		for o, err := range b.Bucket.List(ctx, after) {
			if !yield(instance.Object(o), b.explain(err)) {
				return
			}
		}
	}
}

func (b bucket) Stat(ctx context.Context, key string) (instance.Object, error) {
	o, err := b.Bucket.Stat(ctx, key)
	return instance.Object(o), b.ofObject(err)
}

func (b bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.Bucket.Open(ctx, key)
	if err != nil {
		return nil, b.ofObject(err)
	}
	return object{r, b}, nil
}

// object is an object's bytes; where they break off, that is the bucket's fault.
type object struct {
	io.ReadCloser
	of bucket
}

func (o object) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = o.of.ofObject(err)
	}
	return n, err
}

func (b bucket) Put(ctx context.Context, key string, body io.ReaderAt, size int64, contentType string) error {
	return b.explain(b.Bucket.Put(ctx, key, body, size, contentType))
}

// ofObject says which bucket an object is missing from.
func (b bucket) ofObject(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("GoToSocial's bucket: %w", err)
}

func (b bucket) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	p := &instance.Problem{What: fmt.Sprintf("GoToSocial's bucket, %s", b), Err: err}
	switch {
	case errors.Is(err, remote.ErrCredentials):
		p.Fix = "correct storage-s3-access-key and storage-s3-secret-key in GoToSocial's configuration, " +
			"and see that this key may list the bucket"
	case errors.Is(err, remote.ErrUnreachable):
		p.Fix = "correct storage-s3-endpoint and storage-s3-use-ssl in GoToSocial's configuration, " +
			"or see why it doesn't answer; then run it again"
	case errors.Is(err, remote.ErrFull):
		p.Fix = "make room there or raise the quota, then run it again: what arrived is kept"
	default:
		p.Fix = "correct storage-s3-bucket, storage-s3-endpoint, " +
			"storage-s3-region and storage-s3-bucket-lookup in GoToSocial's configuration"
	}
	return p
}
