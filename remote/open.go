package remote

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Config is what a remote needs beyond its URL. It is never printed.
type Config struct {
	AccessKey, SecretKey string // required for S3
	Region               string // S3; default: as the endpoint's host name tells, else us-east-1
	// Patience is how long what does not answer is asked again; default: as
	// [WithRetry] has it.
	Patience time.Duration
}

// Open returns the store at a URL, without any request to it:
//
//	/path  ./path  dir:///path        a directory
//	s3://ENDPOINT/BUCKET/PREFIX       S3 over HTTPS
//	s3+http://ENDPOINT/BUCKET/PREFIX  S3 without TLS
//
// Stores across a network come with [WithRetry] applied. A URL that still
// carries a pin is refused: see [SplitPin].
func Open(ctx context.Context, rawURL string, cfg Config) (Store, error) {
	driver, err := newDriver(rawURL, cfg)
	if err != nil {
		return nil, err
	}
	return driver.ready(), nil
}

// Create makes the place that rawURL names, as far as that is the program's
// business, and opens it: a directory is made if only its last element is
// missing; a bucket must exist. Where it succeeds, the storage answered and took
// the credentials. It doesn't retry: a person is waiting.
func Create(ctx context.Context, rawURL string, cfg Config) (Store, error) {
	driver, err := newDriver(rawURL, cfg)
	if err != nil {
		return nil, err
	}
	if err := driver.create(ctx); err != nil {
		return nil, err
	}
	return driver.ready(), nil
}

// SplitPin splits a remote's URL at its first '#' into the URL proper and the
// repository ID ("hf1…") that it is pinned to, or "" where it is not. Paths
// with a '#' in them can't be remotes.
func SplitPin(rawURL string) (plain, pin string) {
	plain, pin, _ = strings.Cut(rawURL, "#")
	return plain, pin
}

// driver is a remote that Open and Create have yet to finish.
type driver interface {
	// create makes what [Create] promises to make.
	create(ctx context.Context) error
	// ready returns the store, with retries if it needs them.
	ready() Store
}

// newDriver never shows the URL in an error: a secret may have slipped into it.
func newDriver(rawURL string, cfg Config) (driver, error) {
	if strings.Contains(rawURL, "#") {
		return nil, errors.New("open remote: the URL still carries its #pin")
	}
	if scheme, rest, ok := strings.Cut(rawURL, "://"); ok {
		switch scheme {
		case "dir":
			u, err := url.Parse(rawURL)
			if err != nil || u.Host != "" || u.RawQuery != "" || !strings.HasPrefix(rest, "/") {
				return nil, errors.New("open remote: not of the form dir:///PATH")
			}
			return newDirectory(u.Path)
		case "s3", "s3+http":
			return newS3(rawURL, cfg)
		case "aws", "sftp", "rest+https", "rest+http":
			return nil, fmt.Errorf("open remote: this version does not speak %s:// yet: use s3:// or a directory", scheme)
		}
		return nil, errors.New("open remote: unknown scheme: write s3://ENDPOINT/BUCKET/PREFIX, dir:///PATH or /PATH")
	}
	if !filepath.IsAbs(rawURL) && !strings.HasPrefix(rawURL, "./") && !strings.HasPrefix(rawURL, "../") && rawURL != "." {
		return nil, errors.New("open remote: write s3://ENDPOINT/BUCKET/PREFIX, /PATH or ./PATH")
	}
	return newDirectory(rawURL)
}
