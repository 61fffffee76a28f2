package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/minio/minio-go/v7"

	"holdfast/remedy"
)

// fail adds verb, name and meaning to an error; nil stays nil.
func (c *client) fail(ctx context.Context, verb, name string, err error) error {
	var answer minio.ErrorResponse
	var request *url.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // err alone does not tell: a dial's timeout is a context.DeadlineExceeded too
		return fmt.Errorf("%s%w", action(verb, name), ctx.Err())
	case errors.Is(err, ErrEndless):
		return fmt.Errorf("%s%w", action(verb, name), remedy.Line(err))
	case withoutTLS(err):
		return fmt.Errorf("%s%w: %s speaks no TLS%s: %w", action(verb, name), ErrUnreachable, c.url.Host, c.noTLS, err)
	case errors.As(err, &answer):
		answer.Code, answer.Message, answer.Region = brief(answer.Code), brief(answer.Message), brief(answer.Region)
		if answer.StatusCode == http.StatusOK && verb == "delete" { // some servers answer 200 instead of 204
			return nil
		}
		err := c.meaning(verb, shorten(answer))
		if errors.Is(err, ErrFull) { // the trouble of the bucket, of no single object
			return err
		}
		return fmt.Errorf("%s%w", action(verb, name), err)
	case errors.As(err, &request): // a url.Error quotes the whole request
		err = request.Err
		if strings.HasPrefix(err.Error(), "Connection closed by foreign host") { // minio-go quotes the request, too
			err = fmt.Errorf("%s closed the connection without an answer%s", c.url.Host, c.otherScheme())
		}
	}
	if certificate := (*tls.CertificateVerificationError)(nil); errors.As(err, &certificate) {
		what := &trouble{"the certificate of " + c.url.Host + " is not trusted", ErrCertificate}
		return fmt.Errorf("%s%w: %w", action(verb, name), what, remedy.Line(err))
	}
	return fmt.Errorf("%s%w: %w", action(verb, name), ErrUnreachable, remedy.Line(err))
}

// withoutTLS reports whether the server speaks no TLS. A server that answers with the
// status line of HTTP gets an error of its own from net/http.
func withoutTLS(err error) bool {
	record := tls.RecordHeaderError{}
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record)
}

// otherScheme is advice for an endpoint that may want the other scheme. A server often
// closes a connection that begins with the wrong protocol.
func (c *client) otherScheme() string {
	if c.url.Scheme == "s3" && c.noTLS != "" {
		return "; if the server speaks no TLS, use s3+http://"
	}
	return c.withTLS
}

// shorten returns a server's answer with texts that fit into a line: a server must
// not write lines that look like Holdfast's.
func shorten(answer minio.ErrorResponse) minio.ErrorResponse {
	for _, text := range []*string{&answer.Code, &answer.Message, &answer.Region, &answer.BucketName, &answer.Key,
		&answer.Resource, &answer.RequestID, &answer.HostID, &answer.Server} {
		*text = remedy.Cut(*text)
	}
	return answer
}

// rights are the rights of S3 that the requests need, by verb. An answer to HEAD has no
// body: a 403 then tells no missing right from a wrong key.
var rights = map[string]string{
	"put": "s3:PutObject", "get": "s3:GetObject", "list": "s3:ListBucket", "delete": "s3:DeleteObject",
}

// meaning translates a server's answer into an error of this package. The codes
// come from AWS's "Error responses", MinIO's cmd/api-errors.go and Ceph's
// rgw_http_errors.h.
func (c *client) meaning(verb string, answer minio.ErrorResponse) error {
	switch answer.Code {
	case "NoSuchKey":
		return fs.ErrNotExist
	case "NoSuchBucket":
		return &trouble{fmt.Sprintf("%s has no bucket %q", c.url.Host, c.name), ErrNoBucket}
	case "XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded":
		return c.full(answer)
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "InvalidRegion":
		return fmt.Errorf("bucket %q is in another region (%s): correct the endpoint or set the region: %w",
			c.name, answer.Region, answer)
	case "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "BadDigest":
		return fmt.Errorf("the SHA-256 of the bytes differs from the name: %w", answer)
	case "InvalidObjectState":
		return fmt.Errorf("the object lies in an archive of the storage: have the provider restore the object: %w",
			answer)
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "RequestTimeout", "InternalError", "Throttling",
		"ServiceUnavailable":
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, answer.Code, answer)
	}
	if err := c.refusal(verb, answer); err != nil {
		return err
	}
	switch code := answer.StatusCode; {
	case code == http.StatusInsufficientStorage:
		return c.full(answer)
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, answer.Code, answer)
	}
	if strings.HasPrefix(answer.Code, strconv.Itoa(answer.StatusCode)+" ") { // minio-go found no code of S3
		return &remedy.Error{Kind: remedy.Setting, Err: answer,
			What: fmt.Sprintf("%s does not answer as S3 does: %s", c.url.Host, answer.Code),
			Fix:  "correct the endpoint and the port: another server, or a proxy, answers there" + c.withTLS}
	}
	return fmt.Errorf("%s: %w", answer.Code, answer)
}

// brief returns text of a server as one short line.
func brief(text string) string {
	const most = 100
	words := strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(c rune) bool {
		return unicode.IsSpace(c) || unicode.IsControl(c)
	})
	line := []rune(strings.Join(words, " "))
	if len(line) > most {
		return string(line[:most]) + "…"
	}
	return string(line)
}

// full is the error of a bucket without room.
func (c *client) full(answer minio.ErrorResponse) error {
	what := &trouble{fmt.Sprintf("bucket %q at %s is full", c.name, c.url.Host), ErrFull}
	return fmt.Errorf("%w: %s: %w", what, answer.Code, answer)
}

// refusal returns the error of an answer that refuses the key, the signature or the
// right, or nil for other answers.
func (c *client) refusal(verb string, answer minio.ErrorResponse) error {
	right := rights[verb]
	switch {
	case answer.Code == "RequestTimeTooSkewed", answer.Code == "RequestExpired":
		return fmt.Errorf("%w, or the clock of %s: %w", ErrClock, c.url.Host, answer)
	case answer.Code == "SignatureDoesNotMatch":
		return fmt.Errorf("%w for bucket %q at %s: %w", ErrSignature, c.name, c.url.Host, answer)
	case right != "" && (answer.Code == "AccessDenied" || answer.Code == "AllAccessDisabled"):
		return fmt.Errorf("%w, %s in bucket %q: %s: %w", ErrDenied, right, c.name, answer.Code, answer)
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden,
		answer.Code == "ExpiredToken", answer.Code == "InvalidToken", answer.Code == "TokenRefreshRequired":
		return fmt.Errorf("%w: %s: %w", ErrCredentials, answer.Code, answer)
	}
	return nil
}
