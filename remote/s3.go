package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// s3Store keeps objects below a prefix of an S3 bucket. Each call is one request;
// a List is one request per 1,000 objects. Put sends the SHA-256 from the name as
// X-Amz-Content-Sha256, and the server refuses other bytes.
type s3Store struct{ *client }

const setKeys = "set access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

// newS3 never quotes the URL: see newDriver.
func newS3(rawURL string, cfg Config) (*s3Store, error) {
	// The check precedes url.Parse: a secret with a '/' would end up in the path.
	if strings.Contains(rawURL, "@") {
		return nil, errors.New("open remote: an S3 URL must hold no keys and no '@': " + setKeys)
	}
	_, rest, _ := strings.Cut(rawURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	if err := checkBrackets(host); err != nil {
		return nil, err
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.RawQuery != "" {
		return nil, errors.New("open remote: the URL does not have the form s3://ENDPOINT/BUCKET/PREFIX")
	}
	name, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if s3utils.CheckValidBucketName(name) != nil || prefix != "" && !fs.ValidPath(prefix) {
		return nil, errors.New("open remote: the URL has no valid bucket and prefix")
	}
	if cfg.AccessKey == "" || cfg.SecretKey == "" {
		return nil, &trouble{"open remote: S3 needs an access key and a secret key", ErrCredentials}
	}

	u.Path, u.RawPath = path.Join("/", name, prefix), ""
	if prefix != "" {
		prefix += "/"
	}
	c, err := newClient(u, name, prefix, cfg.CAFile, minio.Options{
		Creds:  credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, cfg.SessionToken),
		Region: region(u, cfg), // without a region minio-go asks the server first
	})
	if err != nil {
		return nil, fmt.Errorf("open remote: %w", err)
	}
	if u.Scheme == "s3+http" {
		c.withTLS = "; if the server speaks TLS, use s3://"
	}
	c.noTLS, c.patience = ": use s3+http:// if you must", cfg.Patience
	return &s3Store{c}, nil
}

func (s *s3Store) ready() Store { return WithRetry(s, s.patience) }

// create sends a List: only an answer with a body tells a wrong key from a wrong
// bucket.
func (s *s3Store) create(ctx context.Context) error {
	for _, err := range s.List(ctx, "") {
		return err
	}
	return nil
}

func (s *s3Store) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return s.put(ctx, name, body, size, path.Base(name), "")
}

func (s *s3Store) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := CheckName(name); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	body, _, err := s.get(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	return body, nil
}

func (s *s3Store) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		n := 0
		for o, err := range s.list(ctx, prefix, "") {
			if n++; err == nil && n > s.mostObjects {
				o, err = Object{}, fmt.Errorf("%s%w: more than %d objects", action("list", prefix), ErrEndless,
					s.mostObjects)
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// Bounds of a List: sixteen terabytes of packs, and as many objects of another
// program as a server of media may have. A page has at most 1,000 objects.
const (
	maxObjects = 1_000_000
	maxPages   = 20_000
)

func (s *s3Store) Delete(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return s.fail(ctx, "delete", name, s.core.RemoveObject(ctx, s.name, s.prefix+name, minio.RemoveObjectOptions{}))
}

// region returns the region for signatures. Providers in the list name the region
// in the label before their domain; s3utils knows AWS. MinIO and Ceph accept any
// region.
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
