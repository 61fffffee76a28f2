package remote

import (
	"strings"
	"testing"
)

func TestSpoiltKeysAreExplainedAndNotQuoted(t *testing.T) {
	for text, want := range map[string]string{
		"hunter2\nhunter2":           "2 lines",
		"hunter2\rhunter2":           "U+000D at place 8",
		"hunter2\x00":                "U+0000 at place 8",
		"\ufeffhunter2":              "U+FEFF at place 1",
		"hunter2\xff":                "UTF-8",
		"hunter2/+=hunter2~!.-_":     "",
		"a password of MinIO, öäü":   "",
		"wJalrXUtnFEMI/K7MDENG/bPxR": "",
		"":                           "",
	} {
		err := CheckKey(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}

func TestSpoiltKeyNeverReachesARequest(t *testing.T) {
	for field, cfg := range map[string]Config{
		"access key":    {AccessKey: "a\nb", SecretKey: "s"},
		"secret key":    {AccessKey: "a", SecretKey: "s\x00"},
		"session token": {AccessKey: "a", SecretKey: "s", SessionToken: "t\tt"},
	} {
		if _, err := Open(t.Context(), "s3://s3.example/bucket", cfg); err == nil ||
			!strings.Contains(err.Error(), "the "+field+" has ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	bucket := BucketConfig{Endpoint: "s3.example", Name: "bucket", AccessKey: "a", SecretKey: "s\ns"}
	if _, err := OpenBucket(bucket, 0); err == nil || !strings.Contains(err.Error(), "the secret key has 2 lines") {
		t.Errorf("bucket: %v", err)
	}
}
