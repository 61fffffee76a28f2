package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strconv"
	"time"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
	"holdfast/remote"
)

// OpenClient opens the bucket that GoToSocial's configuration names, without a
// request to it; nil where the media are in a directory. patience is that of
// [remote.Config].
//
// Newer servers than the one that this was written for have storage-s3-region.
func OpenClient(c *gotosocial.Config, patience time.Duration) (Client, error) {
	if !c.InBucket() {
		return nil, nil
	}
	if err := c.CheckBucket(); err != nil {
		return nil, err
	}
	tls, err := strconv.ParseBool(c.Get("storage-s3-use-ssl"))
	if err != nil {
		return nil, err
	}
	b, err := remote.OpenBucket(remote.BucketConfig{
		Endpoint: c.Get("storage-s3-endpoint"), Name: c.Get("storage-s3-bucket"), Prefix: c.Get("storage-s3-key-prefix"),
		AccessKey: c.Get("storage-s3-access-key"), SecretKey: c.Get("storage-s3-secret-key"),
		Region: c.Get("storage-s3-region"), Plain: !tls, Lookup: c.Get("storage-s3-bucket-lookup"),
	}, patience)
	if err != nil {
		return nil, &remedy.Error{Kind: remedy.Source, What: "GoToSocial's bucket", Err: err, Fix: "correct storage-s3-endpoint and storage-s3-bucket in GoToSocial's configuration"}
	}
	return client{b}, nil
}

// client is a remote's bucket whose errors name the settings
// of GoToSocial, not those of the storage.
type client struct{ *remote.Bucket }

func (b client) List(ctx context.Context, after string) iter.Seq2[remote.Object, error] {
	return func(yield func(remote.Object, error) bool) {
		for o, err := range b.Bucket.List(ctx, after) {
			if !yield(o, b.explain(err)) {
				return
			}
		}
	}
}

func (b client) Stat(ctx context.Context, key string) (remote.Object, error) {
	o, err := b.Bucket.Stat(ctx, key)
	return o, b.ofObject(err)
}

func (b client) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.Bucket.Open(ctx, key)
	if err != nil {
		return nil, b.ofObject(err)
	}
	return object{r, b}, nil
}

// object is an object's bytes; where they break off, that is the bucket's fault.
type object struct {
	io.ReadCloser
	of client
}

func (o object) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = o.of.ofObject(err)
	}
	return n, err
}

func (b client) Put(ctx context.Context, key string, body io.ReaderAt, size int64, contentType string) error {
	return b.explain(b.Bucket.Put(ctx, key, body, size, contentType))
}

// ofObject says which bucket an object is missing from.
func (b client) ofObject(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("GoToSocial's bucket: %w", err)
}

func (b client) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	p := &remedy.Error{Kind: remedy.Source, What: fmt.Sprintf("GoToSocial's bucket, %s", b), Err: err}
	switch {
	case errors.Is(err, remote.ErrCredentials):
		p.Fix = "correct storage-s3-access-key and storage-s3-secret-key in GoToSocial's configuration, and see that this key may list the bucket"
	case errors.Is(err, remote.ErrUnreachable):
		p.Fix = "correct storage-s3-endpoint and storage-s3-use-ssl in GoToSocial's configuration, or see why it doesn't answer; then run it again"
	case errors.Is(err, remote.ErrFull):
		p.Fix = "make room there or raise the quota, then run it again: what arrived is kept"
	default:
		p.Fix = "correct storage-s3-bucket, storage-s3-endpoint, storage-s3-region and storage-s3-bucket-lookup in GoToSocial's configuration"
	}
	return p
}
