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

// OpenClient returns a client for the bucket of GoToSocial's configuration, or nil
// if the media are in a folder. OpenClient makes no request. caFile and patience are
// those of [remote.Config]. Only newer servers know the setting storage-s3-region.
func OpenClient(c *gotosocial.Config, caFile string, patience time.Duration) (Client, error) {
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
		Endpoint: c.Get("storage-s3-endpoint"), Name: c.Get("storage-s3-bucket"),
		Prefix:    c.Get("storage-s3-key-prefix"),
		AccessKey: c.Get("storage-s3-access-key"), SecretKey: c.Get("storage-s3-secret-key"),
		CAFile: caFile, Region: c.Get("storage-s3-region"), Plain: !tls, Lookup: c.Get("storage-s3-bucket-lookup"),
	}, patience)
	if err != nil {
		return nil, &remedy.Error{Kind: remedy.Source, What: "GoToSocial's bucket", Err: err,
			Fix: "correct storage-s3-endpoint, storage-s3-bucket and both keys in GoToSocial's configuration, " +
				"or instance.ca in Holdfast's"}
	}
	return client{b}, nil
}

// client is a bucket whose errors name the settings of GoToSocial.
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

// object reads an object. Its errors name the bucket.
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

// ofObject adds to an error that the object is in GoToSocial's bucket.
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
	case errors.Is(err, remote.ErrDenied):
		p.Fix = "allow GoToSocial's key s3:ListBucket on the bucket and s3:GetObject on the objects; " +
			"a restore also needs s3:PutObject"
	case errors.Is(err, remote.ErrClock):
		p.Fix = "set this machine's clock (timedatectl set-ntp true), then run the command again"
	case errors.Is(err, remote.ErrCredentials):
		p.Fix = "correct storage-s3-access-key and storage-s3-secret-key in GoToSocial's configuration, and make " +
			"sure that the key may list the bucket"
	case errors.Is(err, remote.ErrCertificate):
		p.Fix = "if the server has a certificate of its own, name the certificate's PEM file: instance.ca in " +
			"Holdfast's configuration, holdfast init --media-ca FILE, or SSL_CERT_FILE=FILE before any command"
	case errors.Is(err, remote.ErrUnreachable):
		p.Fix = "correct storage-s3-endpoint and storage-s3-use-ssl in GoToSocial's configuration, or find out why " +
			"the server does not answer; then run the command again"
	case errors.Is(err, remote.ErrFull):
		p.Fix = "make room there or raise the quota, then run the command again: uploaded files are kept"
	default:
		p.Fix = "correct storage-s3-bucket, storage-s3-endpoint, storage-s3-region and storage-s3-bucket-lookup in " +
			"GoToSocial's configuration"
	}
	return p
}
