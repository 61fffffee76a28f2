package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/agent/secret"
	"holdfast/internal/testkit"
	"holdfast/remedy"
	"holdfast/remote"
)

// A person who pastes the address of another tool gets no folder of that name.
func TestAddressOfAnotherToolIsNoFolder(t *testing.T) {
	others := []string{"b2:BUCKET", "s3:BUCKET/x", "user@host:path", "u1@host:/srv/x", "sftp:host:/x", "C:"}
	for _, address := range others {
		if _, err := ParseLocation(address); !remedy.Is(err, remedy.Setting) {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"/srv/a:b", "./a:b", "backups", "s3://host:9000/bucket"} {
		if _, err := ParseLocation(address); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestSessionTokenBelongsToTheKeysOfTheEnvironment(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	if got := withEnvironment(remote.Config{}); got.SessionToken != "token" || got.AccessKey != "key" {
		t.Errorf("without keys: %+v", got.SessionToken)
	}
	own := remote.Config{AccessKey: "mine", SecretKey: "mine too"}
	if got := withEnvironment(own); got.SessionToken != "" {
		t.Errorf("with other keys: %q", got.SessionToken)
	}
}

func TestSpoiltKeyFileIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	c := &Config{}
	for text, want := range map[string]string{
		"AKIAEXAMPLE\nhunter2\n":        "file:" + file + " has 2 lines",
		"hunter2\x00\n":                 "file:" + file + " has the character U+0000",
		"\xef\xbb\xbfAKIAEXAMPLE\r\n":   "",
		"\xff\xfeA\x00K\x00I\x00\n\x00": "",
	} {
		testkit.OK(t, os.WriteFile(file, []byte(text), 0o600))
		key := secret.Source("file:" + file)
		r := RemoteConfig{URL: "s3://host/bucket", AccessKey: key, SecretKey: key}
		l, err := c.Locate(t.Context(), r, Observer{})
		told := fmt.Sprint(err)
		switch {
		case want == "" && (err != nil || !strings.HasPrefix(l.Remote.AccessKey, "AKI")):
			t.Errorf("%q: key %q, %v", text, l.Remote.AccessKey, err)
		case want != "" && (!strings.Contains(told, want) || strings.Contains(told, "hunter2")):
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
