package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/agent/secret"
	"holdfast/internal/testkit"
)

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
