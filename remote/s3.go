package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// bucket keeps objects below a prefix of an S3 bucket. Each call is one
// request, a List one per 1,000 objects. Put sends the object's name as
// X-Amz-Content-Sha256: the server then refuses other bytes, and nothing is
// hashed here. No multipart, no trailing checksums: stores that aren't AWS
// differ there.
type bucket struct {
	core      minio.Core
	transport *http.Transport
	url       *url.URL
	name      string
	prefix    string // "" or ends in "/"
}

func newS3(rawURL string, cfg Config) (*bucket, error) {
	// Before it is parsed: a secret with a '/' in it would end up in the path.
	if strings.Contains(rawURL, "@") {
		return nil, errors.New("open remote: an s3 URL holds no keys and no '@': put the keys into access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.RawQuery != "" {
		return nil, errors.New("open remote: not of the form s3://ENDPOINT/BUCKET/PREFIX")
	}
	name, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if s3utils.CheckValidBucketName(name) != nil || prefix != "" && !fs.ValidPath(prefix) {
		return nil, errors.New("open remote: no valid bucket and prefix in s3://ENDPOINT/BUCKET/PREFIX")
	}
	if cfg.AccessKey == "" || cfg.SecretKey == "" {
		return nil, fmt.Errorf("open remote: %w: none given: set access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", ErrCredentials)
	}

	u.Path, u.RawPath = path.Join("/", name, prefix), ""
	b := &bucket{transport: newTransport(), url: u, name: name}
	if prefix != "" {
		b.prefix = prefix + "/"
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:      credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, ""),
		Secure:     u.Scheme == "s3",
		Transport:  listings{b.transport},
		Region:     region(u, cfg), // given, or it would ask the server first
		MaxRetries: 1,              // WithRetry does that
	})
	if err != nil {
		return nil, fmt.Errorf("open remote: %w", err)
	}
	b.core.Client = client
	return b, nil
}

func (b *bucket) ready() Store { return WithRetry(b) }

func (b *bucket) String() string { return b.url.String() }

func (b *bucket) Close() error {
	b.transport.CloseIdleConnections()
	return nil
}

// create lists instead of asking for the bucket alone: only an answer with a
// body tells a wrong key from a wrong bucket.
func (b *bucket) create(ctx context.Context) error {
	for _, err := range b.List(ctx, "") {
		return err
	}
	return nil
}

func (b *bucket) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	loan := &loan{body: io.NewSectionReader(body, 0, size), left: size}
	_, err := b.core.PutObject(ctx, b.name, b.prefix+name, loan, size, "", path.Base(name),
		minio.PutObjectOptions{DisableContentSha256: true})
	if ended := loan.end(); ended != nil {
		return fmt.Errorf("put %s: read body: %w", name, ended)
	}
	return b.fail(ctx, "put", name, err)
}

func (b *bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := CheckName(name); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	fail := func(err error) error { return b.fail(ctx, "get", name, err) }
	body, info, _, err := b.core.GetObject(ctx, b.name, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, fail(err)
	}
	if info.Size < 0 { // its end could not be told from a cut
		body.Close()
		return nil, fmt.Errorf("get %s: %w: answer without a Content-Length", name, ErrUnreachable)
	}
	return &stream{body, body, fail}, nil
}

func (b *bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		owner := false
		for info := range b.core.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{
			Prefix: b.prefix + prefix, Recursive: true, MaxKeys: 1000, FetchOwner: &owner,
		}) {
			if info.Err != nil {
				yield(Object{}, b.fail(ctx, "list", prefix, info.Err))
				return
			}
			name := strings.TrimPrefix(info.Key, b.prefix)
			if !yield(Object{Name: name, Size: info.Size, Modified: info.LastModified}, nil) {
				return
			}
		}
		// The client's listing just ends when the context does.
		if ctx.Err() != nil {
			yield(Object{}, b.fail(ctx, "list", prefix, ctx.Err()))
		}
	}
}

func (b *bucket) Delete(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return b.fail(ctx, "delete", name, b.core.RemoveObject(ctx, b.name, b.prefix+name, minio.RemoveObjectOptions{}))
}

func (b *bucket) Stat(ctx context.Context, name string) (Object, error) {
	if err := CheckName(name); err != nil {
		return Object{}, fmt.Errorf("stat: %w", err)
	}
	info, err := b.core.Client.StatObject(ctx, b.name, b.prefix+name, minio.StatObjectOptions{})
	if err != nil {
		return Object{}, b.fail(ctx, "stat", name, err)
	}
	return Object{Name: name, Size: info.Size, Modified: info.LastModified}, nil
}

// region is part of the signature. Hosts that name theirs as the label before
// their domain are known here and in s3utils; MinIO and Ceph take any.
func region(u *url.URL, cfg Config) string {
	if cfg.Region != "" {
		return cfg.Region
	}
	if aws := s3utils.GetRegionFromURL(*u); aws != "" {
		return aws
	}
	if strings.HasSuffix(u.Hostname(), ".r2.cloudflarestorage.com") {
		return "auto"
	}
	for _, domain := range []string{
		".your-objectstorage.com", ".backblazeb2.com", ".wasabisys.com", ".digitaloceanspaces.com",
		".linodeobjects.com", ".scw.cloud", ".io.cloud.ovh.net", ".vultrobjects.com",
	} {
		if host, ok := strings.CutSuffix(u.Hostname(), domain); ok && host != "s3" {
			return host[strings.LastIndexByte(host, '.')+1:]
		}
	}
	return "us-east-1"
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
