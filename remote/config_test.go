package remote

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/testkit"
)

func TestOpenByURL(t *testing.T) {
	here, err := filepath.Abs("backup")
	testkit.OK(t, err)
	for rawURL, want := range map[string]string{
		"/srv/backup":                           "/srv/backup",
		"/srv/my backup/":                       "/srv/my backup",
		"./backup":                              here,
		"dir:///srv/my%20backup":                "/srv/my backup",
		"s3://fsn1.your-objectstorage.com/b01":  "s3://fsn1.your-objectstorage.com/b01",
		"s3://s3.example.org/b01/example.org/":  "s3://s3.example.org/b01/example.org",
		"s3+http://127.0.0.1:9000/b01/a/b":      "s3+http://127.0.0.1:9000/b01/a/b",
		"s3+http://[::1]:9000/b01":              "s3+http://[::1]:9000/b01",
		"s3://s3.example.org/b01/with%20blanks": "s3://s3.example.org/b01/with%20blanks",
	} {
		s, err := Open(t.Context(), rawURL, Config{AccessKey: "access", SecretKey: "secret"})
		if err != nil {
			t.Errorf("Open(%q) = %v", rawURL, err)
			continue
		}
		if s.String() != want {
			t.Errorf("Open(%q) is %q, want %q", rawURL, s, want)
		}
	}
}

func TestOpenRefusesWithoutTellingSecrets(t *testing.T) {
	for rawURL, want := range map[string]string{
		"":                                 "/PATH",
		"backup":                           "./PATH",
		"ftp://host/path":                  "unknown scheme",
		"http://minio.lan:9000/bucket":     "no remote starts with http://",
		"https://s3.example.org/bucket":    "no remote starts with https://",
		"file:///srv/backup":               "no remote starts with file://",
		"sftp://u:hunter2@host/path":       "sftp:// is not supported yet",
		"rest+https://u:hunter2@host/path": "rest+https:// is not supported yet",
		"aws://bucket":                     "aws:// is not supported yet",
		"dir://host/path":                  "dir:///PATH",
		"dir:relative":                     "/PATH",
		"/srv/backup#hf1abc":               "#pin",
		"s3://h/bucket#hf1abc":             "#pin",
		"s3://key:hunter2@host/bucket":     "access_key and secret_key",
		"s3://key:8/hunter2@host/bucket":   "access_key and secret_key",
		"s3://key:hunter2/secret@host/b":   "access_key and secret_key",
		"s3://host:hunter2/bucket":         "s3://ENDPOINT/BUCKET/PREFIX",
		"s3://host/bucket?secret=hunter2":  "s3://ENDPOINT/BUCKET/PREFIX",
		"s3://host":                        "no valid bucket",
		"s3+http://::1:9000/bucket":        "no brackets",
		"s3://2001:db8::1/bucket":          "no brackets",
		"s3://host/b":                      "no valid bucket",
		"s3://host/bucket/../hunter2":      "no valid bucket",
		"s3:///bucket/prefix":              "s3://ENDPOINT/BUCKET/PREFIX",
	} {
		_, err := Open(t.Context(), rawURL, Config{AccessKey: "access", SecretKey: "hunter2"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, want an error with %q", rawURL, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) tells the secret: %v", rawURL, err)
		}
	}
	_, err := Open(t.Context(), "s3://host/bucket", Config{AccessKey: "access"})
	if !errors.Is(err, ErrCredentials) {
		t.Errorf("Open without a secret key = %v, want ErrCredentials", err)
	}
}

func TestSplitPin(t *testing.T) {
	for rawURL, want := range map[string][2]string{
		"s3://host/bucket/p#hf1abc": {"s3://host/bucket/p", "hf1abc"},
		"/srv/backup#hf1abc":        {"/srv/backup", "hf1abc"},
		"/srv/backup":               {"/srv/backup", ""},
	} {
		plain, pin := SplitPin(rawURL)
		if got := [2]string{plain, pin}; got != want {
			t.Errorf("SplitPin(%q) = %q, want %q", rawURL, got, want)
		}
	}
}

func TestRegionComesFromTheHost(t *testing.T) {
	for host, want := range map[string]string{
		"fsn1.your-objectstorage.com":     "fsn1",
		"s3.eu-central-1.amazonaws.com":   "eu-central-1",
		"s3.amazonaws.com":                "us-east-1",
		"s3.us-west-002.backblazeb2.com":  "us-west-002",
		"s3.wasabisys.com":                "us-east-1",
		"ams3.digitaloceanspaces.com":     "ams3",
		"abc123.r2.cloudflarestorage.com": "auto",
		"127.0.0.1:9000":                  "us-east-1",
		"minio.example.org":               "us-east-1",
	} {
		if got := region(&url.URL{Scheme: "https", Host: host}, Config{}); got != want {
			t.Errorf("region of %s = %q, want %q", host, got, want)
		}
	}
	if got := region(&url.URL{Host: "fsn1.your-objectstorage.com"}, Config{Region: "garage"}); got != "garage" {
		t.Errorf("region = %q, want the configured one", got)
	}
}
