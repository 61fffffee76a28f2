package remote

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// Bucket is an S3 bucket that another program writes to: objects have any name
// and may change. Names are below the prefix.
//
// Its methods may be called concurrently. Their errors mean what those of a
// [Store] mean, and what failed with [ErrUnreachable] is repeated as [WithRetry]
// says.
type Bucket struct{ *client }

// BucketConfig is how a bucket is reached. It is never printed.
type BucketConfig struct {
	Endpoint             string // HOST or HOST:PORT, with a scheme or without
	Name                 string
	Prefix               string // of every key, as it is: it ends in a '/' only if it says so
	AccessKey, SecretKey string
	Region               string // default: the server is asked
	Plain                bool   // without TLS
	Lookup               string // "dns" or "path": where requests name the bucket; default: as the endpoint suggests
}

// OpenBucket opens a bucket, without any request to it. patience is that of
// [Config].
func OpenBucket(cfg BucketConfig, patience time.Duration) (*Bucket, error) {
	if s3utils.CheckValidBucketName(cfg.Name) != nil {
		return nil, fmt.Errorf("open bucket: %q is no name of a bucket", cfg.Name)
	}
	_, host, ok := strings.Cut(cfg.Endpoint, "://")
	if !ok {
		host = cfg.Endpoint
	}
	u := &url.URL{Scheme: "s3", Host: host, Path: "/" + cfg.Name + "/" + cfg.Prefix}
	if cfg.Plain {
		u.Scheme = "s3+http"
	}
	lookup := map[string]minio.BucketLookupType{"dns": minio.BucketLookupDNS, "path": minio.BucketLookupPath}[cfg.Lookup]
	c, err := newClient(u, cfg.Name, cfg.Prefix, minio.Options{
		Creds:        credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, ""),
		Region:       cfg.Region,
		BucketLookup: lookup,
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket: %q is no endpoint: %w", cfg.Endpoint, err)
	}
	c.patience = patience
	return &Bucket{c}, nil
}

// List yields every object whose name comes after a name, or all of them after
// "", in the bucket's order: of S3 that is byte order. It makes a request for each
// 1,000 objects, when they are needed. Times are whole seconds, as Stat has them.
func (b *Bucket) List(ctx context.Context, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		stopped := false
		err := retry(ctx, b.String(), b.patience, func() error {
			from := after
			for o, err := range b.list(ctx, "", from) {
				if err != nil {
					return err
				}
				if o.Name <= from { // not every server knows where to start
					continue
				}
				after = o.Name
				o.Modified = o.Modified.Truncate(time.Second)
				if stopped = !yield(o, nil); stopped {
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

// Stat returns what List says of one object.
func (b *Bucket) Stat(ctx context.Context, name string) (o Object, err error) {
	err = retry(ctx, b.String(), b.patience, func() (err error) {
		o, err = b.stat(ctx, name)
		return err
	})
	o.Modified = o.Modified.Truncate(time.Second)
	return o, err
}

// Open streams an object's bytes. A stream that breaks goes on where it broke,
// and ends with an error if the object is another by then.
func (b *Bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	s := &steady{}
	s.open = func() error {
		return retry(ctx, b.String(), b.patience, func() error {
			body, o, err := b.get(ctx, name, s.at)
			if err != nil {
				return err
			}
			if s.object = cmp.Or(s.object, o); o.ETag != s.object.ETag || o.Size != s.object.Size-s.at {
				body.Close()
				return fmt.Errorf("get %s: %w", name, errChanged)
			}
			if body, err = firstByte(body, nil); err == nil {
				s.body = body
			}
			return err
		})
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

var errChanged = errors.New("it changed while it was read")

// steady is a stream that goes on where it broke.
type steady struct {
	object Object // as its first answer described it
	at     int64
	body   io.ReadCloser // from at on
	open   func() error  // sets body
}

func (s *steady) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	s.at += int64(n)
	switch {
	case err == nil || !transient(err):
		return n, err
	case s.at == s.object.Size:
		return n, io.EOF
	}
	s.body.Close()
	return n, s.open()
}

func (s *steady) Close() error { return s.body.Close() }

// Put stores an object of size bytes in one request, with their hash: the server
// refuses others. body is read twice, and from its start on each attempt.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReaderAt, size int64, contentType string) error {
	hash := sha256.New()
	if _, err := io.Copy(hash, stopping{ctx, io.NewSectionReader(body, 0, size)}); err != nil {
		return fmt.Errorf("put %s: read body: %w", name, err)
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	return retry(ctx, b.String(), b.patience, func() error { return b.put(ctx, name, body, size, sum, contentType) })
}
