package secret

import (
	"errors"
	"os"
	"strings"
	"testing"

	"holdfast/disk"
	"holdfast/internal/testkit"
)

func TestCommandOfASecretSeesNoOtherSecret(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
	t.Setenv("HOME", "/home/of-a-person")
	got, err := Source("cmd:echo $AWS_SECRET_ACCESS_KEY-$HOME").Read(t.Context(), func(string) {})
	testkit.OK(t, err)
	if want := "-/home/of-a-person"; got != want {
		t.Errorf("the command prints %q, want %q", got, want)
	}
}

// The first part of a long text is a wrong secret.
func TestLongSecretIsRefusedWithItsPlace(t *testing.T) {
	path := t.TempDir() + "/long"
	testkit.OK(t, os.WriteFile(path, make([]byte, maxSecret+1), 0o600))
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	testkit.OK(t, os.Link(path, os.Getenv("CREDENTIALS_DIRECTORY")+"/long"))
	for source, want := range map[Source]string{
		Source("file:" + path):    path + " is larger than 65536 bytes",
		"cred:long":               "/long is larger than 65536 bytes",
		Source("cmd:cat " + path): "read cmd:…: the output is larger than 65536 bytes",
	} {
		text, err := source.Read(t.Context(), func(string) {})
		var tooLarge *disk.TooLarge
		if !errors.As(err, &tooLarge) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d bytes, %v", string(source), len(text), err)
		}
	}
}
