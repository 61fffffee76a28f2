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

// Bucket is an S3 bucket of another program: objects have any name and may change.
// Names are relative to the prefix.
//
// A Bucket is safe for concurrent use. Errors wrap the same causes as the errors
// of a [Store]. A Bucket repeats a request after [ErrUnreachable], like
// [WithRetry].
type Bucket struct{ *client }

// BucketConfig holds the access to a bucket. Never print a BucketConfig: SecretKey
// is a secret.
type BucketConfig struct {
	Endpoint             string // HOST or HOST:PORT, with or without a scheme
	Name                 string
	Prefix               string // of every key; nothing is added, not even a '/'
	AccessKey, SecretKey string
	Region               string // default: minio-go asks the server
	Plain                bool   // without TLS
	CAFile               string // as [Config.CAFile]
	Lookup               string // place of the bucket's name in requests: "dns" or "path"; default: by the endpoint
}

// OpenBucket opens a bucket, without a request. patience is [Config.Patience].
func OpenBucket(cfg BucketConfig, patience time.Duration) (*Bucket, error) {
	if s3utils.CheckValidBucketName(cfg.Name) != nil {
		return nil, fmt.Errorf("open bucket: %q is not a valid name", cfg.Name)
	}
	_, host, ok := strings.Cut(cfg.Endpoint, "://")
	if !ok {
		host = cfg.Endpoint
	}
	u := &url.URL{Scheme: "s3", Host: host, Path: "/" + cfg.Name + "/" + cfg.Prefix}
	if cfg.Plain {
		u.Scheme = "s3+http"
	}
	lookups := map[string]minio.BucketLookupType{"dns": minio.BucketLookupDNS, "path": minio.BucketLookupPath}
	c, err := newClient(u, cfg.Name, cfg.Prefix, cfg.CAFile, minio.Options{
		Creds:        credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, ""),
		Region:       cfg.Region,
		BucketLookup: lookups[cfg.Lookup],
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket at %q: %w", cfg.Endpoint, err)
	}
	c.patience = patience
	return &Bucket{c}, nil
}

// List yields the objects whose names come after the name after, in the bucket's
// order, on S3 byte order. after may be "". List sends a request per 1,000
// objects, on demand. Times are whole seconds, as in Stat.
func (b *Bucket) List(ctx context.Context, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		stopped := false
		err := retry(ctx, b.String(), b.patience, func() error {
			from := after
			for o, err := range b.list(ctx, "", from) {
				if err != nil {
					return err
				}
				if o.Name <= from { // some servers ignore the start
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

// Stat returns one object, as in List.
func (b *Bucket) Stat(ctx context.Context, name string) (o Object, err error) {
	err = retry(ctx, b.String(), b.patience, func() (err error) {
		o, err = b.stat(ctx, name)
		return err
	})
	o.Modified = o.Modified.Truncate(time.Second)
	return o, err
}

// Open streams an object's bytes. A broken stream continues at the same byte by
// itself, and ends with an error if the object changed meanwhile. The caller
// closes the stream.
func (b *Bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	s := &steady{bucket: b, name: name}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return stream{readerFunc(func(p []byte) (int, error) { return s.read(ctx, p) }), s}, nil
}

// steady is the stream of an object over as many requests as needed.
type steady struct {
	bucket *Bucket
	name   string
	object Object        // from the first answer
	at     int64         // bytes read so far
	body   io.ReadCloser // from byte at on
}

var errChanged = errors.New("the object changed during the read")

// open sends a request for the bytes from byte at on.
func (s *steady) open(ctx context.Context) error {
	return retry(ctx, s.bucket.String(), s.bucket.patience, func() error {
		body, o, err := s.bucket.get(ctx, s.name, s.at)
		if err != nil {
			return err
		}
		s.object = cmp.Or(s.object, o)
		if o.ETag != s.object.ETag || o.Size != s.object.Size-s.at {
			body.Close()
			return fmt.Errorf("get %s: %w", s.name, errChanged)
		}
		body, err = awaitByte(body)
		if err != nil {
			return err
		}
		s.body = body
		return nil
	})
}

// read reads from body. After a transient error, read opens a new body.
func (s *steady) read(ctx context.Context, p []byte) (int, error) {
	n, err := s.body.Read(p)
	s.at += int64(n)
	switch {
	case err == nil || !transient(err):
		return n, err
	case s.at == s.object.Size:
		return n, io.EOF
	}
	s.body.Close()
	return n, s.open(ctx)
}

func (s *steady) Close() error { return s.body.Close() }

// Put stores an object of size bytes in one request, with the SHA-256 of the
// bytes: the server refuses other bytes. Put reads body twice, and from the start
// on each attempt.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReaderAt, size int64, contentType string) error {
	sum, err := hashBody(ctx, sha256.New(), body, size)
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return retry(ctx, b.String(), b.patience, func() error {
		return b.put(ctx, name, body, size, hex.EncodeToString(sum), contentType)
	})
}
