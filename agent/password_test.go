package agent

import (
	"path/filepath"
	"testing"

	"holdfast/agent/secret"
	"holdfast/internal/testkit"
)

func TestPasswordOfAnEditorIsReadWithoutItsMark(t *testing.T) {
	dir := t.TempDir()
	testkit.Write(t, filepath.Join(dir, "gts.yaml"), "host: example.org\ndb-type: postgres\ndb-address: 127.0.0.1\n")
	testkit.Write(t, filepath.Join(dir, "password"), "\ufeffof holdfast\r\n")
	c := &Config{Instance: InstanceConfig{GoToSocial: filepath.Join(dir, "gts.yaml"), PostgresUser: "holdfast",
		PostgresPassword: secret.Source("file:" + filepath.Join(dir, "password"))}}
	settings, err := c.reading(t.Context(), Observer{})
	testkit.OK(t, err)
	if settings.PostgresPassword != "of holdfast" {
		t.Errorf("the password is %q", settings.PostgresPassword)
	}
}
