package remote

import (
	"context"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast/disk"
	"holdfast/remedy"
)

// client sends S3 requests for one bucket, without retries after errors. A client avoids
// multipart uploads and trailing checksums: servers other than AWS differ in
// both.
type client struct {
	core      minio.Core
	transport *http.Transport
	url       *url.URL      // of endpoint, bucket and prefix, for messages
	name      string        // of the bucket
	prefix    string        // of every key
	noTLS     string        // advice for an endpoint without TLS
	withTLS   string        // advice for an endpoint that may have TLS, if the URL has none
	patience  time.Duration // see Config; for callers who retry
	wantsMD5  atomic.Bool   // the server refused a Put without Content-MD5

	mostObjects, mostPages int // of a List
}

// newClient returns a client for the host of u, with TLS if the scheme is s3. caFile is
// [Config.CAFile].
func newClient(u *url.URL, name, prefix, caFile string, o minio.Options) (*client, error) {
	if err := errors.Join(checkBrackets(u.Host), checkKeys(o.Creds)); err != nil {
		return nil, err
	}
	c := &client{transport: newTransport(), url: u, name: name, prefix: prefix,
		mostObjects: maxObjects, mostPages: maxPages}
	if caFile != "" {
		roots, err := rootsWith(caFile)
		if err != nil {
			return nil, err
		}
		c.transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	o.Secure = u.Scheme == "s3"
	o.Transport = listings{answers{c.transport}}
	o.MaxRetries = 1 // callers retry
	m, err := minio.New(u.Host, &o)
	if err != nil {
		return nil, fmt.Errorf("%s is not a valid endpoint: %w", u.Host, err)
	}
	c.core.Client = m
	return c, nil
}

// checkBrackets refuses an IPv6 address without brackets. The error does not quote the
// host: the host may hold a secret by mistake.
func checkBrackets(host string) error {
	if strings.Count(host, ":") < 2 || strings.HasPrefix(host, "[") {
		return nil
	}
	return &remedy.Error{Kind: remedy.Setting, What: "the storage's host has several colons and no brackets",
		Fix: "write an IPv6 address in brackets: [2001:db8::1]:9000"}
}

// checkKeys refuses keys that no server takes. net/http would call them a trouble of the
// request.
func checkKeys(creds *credentials.Credentials) error {
	keys, err := creds.GetWithContext(nil)
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	for _, k := range []struct{ what, text string }{
		{"access key", keys.AccessKeyID}, {"secret key", keys.SecretAccessKey}, {"session token", keys.SessionToken},
	} {
		if err := CheckKey(k.text); err != nil {
			return &remedy.Error{Kind: remedy.Setting, What: "the " + k.what + " " + err.Error(),
				Fix: "give the key alone, in one line"}
		}
	}
	return nil
}

// rootsWith returns the certificates that the system trusts and those of a PEM file.
func rootsWith(file string) (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the certificates of the system: %w", err)
	}
	text, err := disk.ReadSmall(file, 4<<20)
	if err == nil && !roots.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s holds no certificate in the form of PEM (-----BEGIN CERTIFICATE-----)", file)
	}
	if err != nil {
		return nil, &remedy.Error{Kind: remedy.Setting, What: "read the storage's own certificate", Err: err,
			Fix: "name by ca a PEM file of the certificate that this user can read"}
	}
	return roots, nil
}

// String returns the URL, without secrets.
func (c *client) String() string { return c.url.String() }

// Close closes idle connections.
func (c *client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// put stores an object in one request. The server refuses bytes with another
// SHA-256 than sha256, in hexadecimal. Some servers demand a Content-MD5 for a bucket
// with object lock. MD5 costs more than SHA-256, so put sends a Content-MD5 only after
// a refusal, and sends the refused object again.
func (c *client) put(ctx context.Context, name string, body io.ReaderAt, size int64, sha256, contentType string) error {
	wanted := c.wantsMD5.Load()
	for {
		digest := ""
		if wanted {
			sum, err := hashBody(ctx, md5.New(), body, size)
			if err != nil {
				return fmt.Errorf("put %s: %w", name, err)
			}
			digest = base64.StdEncoding.EncodeToString(sum)
		}
		lent := &loan{body: io.NewSectionReader(body, 0, size), left: size}
		_, err := c.core.PutObject(ctx, c.name, c.prefix+name, lent, size, digest, sha256,
			minio.PutObjectOptions{ContentType: contentType, DisableContentSha256: true})
		if bodyErr := lent.end(); bodyErr != nil {
			return fmt.Errorf("put %s: read body: %w", name, bodyErr)
		}
		if wanted || !asksForMD5(err) {
			return c.fail(ctx, "put", name, err)
		}
		wanted = true
		c.wantsMD5.Store(true)
	}
}

// hashBody returns the hash of the first size bytes of a body.
func hashBody(ctx context.Context, hash hash.Hash, body io.ReaderAt, size int64) ([]byte, error) {
	if _, err := io.Copy(hash, withContext(ctx, io.NewSectionReader(body, 0, size))); err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return hash.Sum(nil), nil
}

// asksForMD5 reports whether an answer to a Put may mean that a Content-MD5 is
// missing. AWS and Backblaze answer InvalidRequest, a code with many meanings.
func asksForMD5(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && (answer.Code == "InvalidRequest" || answer.Code == "MissingContentMD5")
}

// get streams an object from byte from on. Size counts the bytes of the stream.
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
	if info.Size < 0 { // without a length, a cut looks like the end
		body.Close()
		return nil, Object{}, fmt.Errorf("get %s: %w: answer without a Content-Length", name, ErrUnreachable)
	}
	return stream{explained(body, fail), body}, Object{name, info.Size, info.LastModified, info.ETag}, nil
}

// list yields the objects whose names start with prefix and come after the name
// after. after may be "".
func (c *client) list(ctx context.Context, prefix, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		ctx := context.WithValue(ctx, pagesKey{}, &pages{most: c.mostPages})
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
		// A listing of minio-go ends without an error when the context ends.
		if ctx.Err() != nil {
			yield(Object{}, c.fail(ctx, "list", prefix, ctx.Err()))
		}
	}
}

// stat returns an object without the bytes.
func (c *client) stat(ctx context.Context, name string) (Object, error) {
	info, err := c.core.StatObject(ctx, c.name, c.prefix+name, minio.StatObjectOptions{})
	if err != nil {
		return Object{}, c.fail(ctx, "stat", name, err)
	}
	return Object{name, info.Size, info.LastModified, info.ETag}, nil
}
