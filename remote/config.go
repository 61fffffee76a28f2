package remote

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"holdfast/remedy"
)

// Config holds the settings of a remote beside the URL. Never print a Config:
// SecretKey and SessionToken are secrets.
type Config struct {
	AccessKey, SecretKey string // required for S3
	SessionToken         string // of temporary S3 keys
	Region               string // for S3; default: from the endpoint's host name, else us-east-1
	// CAFile is a PEM file of certificates that S3 over HTTPS may have, beside those that the
	// system trusts; default: none.
	CAFile string
	// Patience bounds the retries of a request without an answer; default: see
	// [WithRetry].
	Patience time.Duration
}

// Open returns the store at a URL, without a request:
//
//	/path  ./path  dir:///path        a directory
//	s3://ENDPOINT/BUCKET/PREFIX       S3 over HTTPS
//	s3+http://ENDPOINT/BUCKET/PREFIX  S3 without TLS
//
// A store across a network has the retries of [WithRetry]. A URL with a pin is an
// error: see [SplitPin]. No error quotes the URL.
func Open(ctx context.Context, rawURL string, cfg Config) (Store, error) {
	driver, err := newDriver(rawURL, cfg)
	if err != nil {
		return nil, err
	}
	return driver.ready(), nil
}

// Create is Open for a new remote. Create makes a directory if only the last
// element of the path is missing; a bucket must exist. Create returns once the
// storage answered and accepted the credentials, and does not retry: a person is
// waiting.
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

// SplitPin splits a remote's URL at the first '#' into the plain URL and the pin,
// a repository ID ("hf1…") or "". The path of a remote cannot hold a '#'.
func SplitPin(rawURL string) (plain, pin string) {
	plain, pin, _ = strings.Cut(rawURL, "#")
	return plain, pin
}

// driver is a remote before Open or Create completes.
type driver interface {
	// create does the work of [Create].
	create(ctx context.Context) error
	// ready returns the store, with retries across a network.
	ready() Store
}

// foreignScheme refuses a scheme of other programs.
func foreignScheme(scheme, form string) error {
	return &remedy.Error{Kind: remedy.Setting, What: "no remote starts with " + scheme + "://", Fix: "write " + form}
}

// newDriver never quotes the URL in an error: the URL may hold a secret by mistake.
func newDriver(rawURL string, cfg Config) (driver, error) {
	if strings.Contains(rawURL, "#") {
		return nil, errors.New("open remote: the URL has a #pin")
	}
	if scheme, rest, ok := strings.Cut(rawURL, "://"); ok {
		switch scheme {
		case "dir":
			u, err := url.Parse(rawURL)
			if err != nil || u.Host != "" || u.RawQuery != "" || !strings.HasPrefix(rest, "/") {
				return nil, errors.New("open remote: the URL does not have the form dir:///PATH")
			}
			return newDirectory(u.Path)
		case "s3", "s3+http":
			return newS3(rawURL, cfg)
		case "aws", "sftp", "rest+https", "rest+http":
			return nil, fmt.Errorf("open remote: %s:// is not supported yet: use s3:// or a directory", scheme)
		case "http":
			return nil, foreignScheme(scheme, "s3+http://ENDPOINT/BUCKET/PREFIX")
		case "https":
			return nil, foreignScheme(scheme, "s3://ENDPOINT/BUCKET/PREFIX")
		case "file":
			return nil, foreignScheme(scheme, "dir:///PATH or /PATH")
		}
		return nil, errors.New("open remote: unknown scheme: write s3://ENDPOINT/BUCKET/PREFIX, dir:///PATH or /PATH")
	}
	relative := rawURL == "." || strings.HasPrefix(rawURL, "./") || strings.HasPrefix(rawURL, "../")
	if !filepath.IsAbs(rawURL) && !relative {
		return nil, errors.New("open remote: write s3://ENDPOINT/BUCKET/PREFIX, /PATH or ./PATH")
	}
	return newDirectory(rawURL)
}
