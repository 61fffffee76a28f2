package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
)

// client speaks S3 about one bucket, without retries. Names are below prefix,
// which stands before each key as it is. No multipart, no trailing checksums:
// stores that aren't AWS differ there.
type client struct {
	core      minio.Core
	transport *http.Transport
	url       *url.URL // of endpoint, bucket and prefix, for messages
	name      string   // of the bucket
	prefix    string
	noTLS     string // what an error about TLS adds
	patience  time.Duration
}

// newClient makes a client for the host of u, with TLS if its scheme is s3.
func newClient(u *url.URL, name, prefix string, o minio.Options) (*client, error) {
	c := &client{transport: newTransport(), url: u, name: name, prefix: prefix}
	o.Secure = u.Scheme == "s3"
	o.Transport = listings{c.transport}
	o.MaxRetries = 1 // retry does that
	m, err := minio.New(u.Host, &o)
	if err != nil {
		return nil, err
	}
	c.core.Client = m
	return c, nil
}

// String is the URL, without secrets.
func (c *client) String() string { return c.url.String() }

// Close lets go of connections.
func (c *client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// put sends the hash of the bytes before them: the server refuses others.
func (c *client) put(ctx context.Context, name string, body io.ReaderAt, size int64, sha256, contentType string) error {
	loan := &loan{body: io.NewSectionReader(body, 0, size), left: size}
	_, err := c.core.PutObject(ctx, c.name, c.prefix+name, loan, size, "", sha256,
		minio.PutObjectOptions{ContentType: contentType, DisableContentSha256: true})
	if ended := loan.end(); ended != nil {
		return fmt.Errorf("put %s: read body: %w", name, ended)
	}
	return c.fail(ctx, "put", name, err)
}

// get streams an object from a byte on. The Size that it returns is what is left.
func (c *client) get(ctx context.Context, name string, from int64) (io.ReadCloser, Object, error) {
	fail := func(err error) error { return c.fail(ctx, "get", name, err) }
	var o minio.GetObjectOptions
	if from > 0 {
		if err := o.SetRange(from, 0); err != nil {
			return nil, Object{}, fail(err)
		}
	}
	body, info, _, err := c.core.GetObject(ctx, c.name, c.prefix+name, o)
	if err != nil {
		return nil, Object{}, fail(err)
	}
	if info.Size < 0 { // its end could not be told from a cut
		body.Close()
		return nil, Object{}, fmt.Errorf("get %s: %w: answer without a Content-Length", name, ErrUnreachable)
	}
	return &stream{body, body, fail}, Object{name, info.Size, info.LastModified, info.ETag}, nil
}

// list yields the objects whose names start with prefix and, where after is
// given, come after it.
func (c *client) list(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		owner := false
		o := minio.ListObjectsOptions{Prefix: c.prefix + prefix, Recursive: true, MaxKeys: 1000, FetchOwner: &owner}
		if after != "" {
			o.StartAfter = c.prefix + after
		}
		for info := range c.core.ListObjectsIter(ctx, c.name, o) {
			if info.Err != nil {
				yield(Object{}, c.fail(ctx, "list", prefix, info.Err))
				return
			}
			if !yield(Object{strings.TrimPrefix(info.Key, c.prefix), info.Size, info.LastModified, info.ETag}, nil) {
				return
			}
		}
		// The client's listing just ends when the context does.
		if ctx.Err() != nil {
			yield(Object{}, c.fail(ctx, "list", prefix, ctx.Err()))
		}
	}
}

func (c *client) stat(ctx context.Context, name string) (Object, error) {
	info, err := c.core.StatObject(ctx, c.name, c.prefix+name, minio.StatObjectOptions{})
	if err != nil {
		return Object{}, c.fail(ctx, "stat", name, err)
	}
	return Object{name, info.Size, info.LastModified, info.ETag}, nil
}

// loan lends a Put's body to the HTTP client, which may still be reading when
// the call is over: early answers and cancelled contexts do that. After end the
// body belongs to the caller again.
type loan struct {
	mu   sync.Mutex // guards all below
	body io.Reader
	left int64
	err  error
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

// end returns what went wrong on the caller's side of the body.
func (l *loan) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.body = nil
	return l.err
}
