package media_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/internal/testkit"
)

// storage is a media folder of nobody, with a configuration beside.
func storage(t *testing.T) (folder string, c *gotosocial.Config) {
	t.Helper()
	testkit.NeedsRoot(t)
	dir := t.TempDir()
	folder = filepath.Join(dir, "storage")
	testkit.Write(t, filepath.Join(folder, "01A/attachment/original/a.png"), "picture")
	testkit.Write(t, filepath.Join(dir, "config.yaml"), "host: example.org\ndb-type: sqlite\ndb-address: x.db\n"+
		"storage-local-base-path: "+folder+"\n")
	testkit.GiveTree(t, folder, testkit.Nobody, testkit.Nobody)
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	testkit.OK(t, err)
	return folder, c
}

// openKey returns the text of a medium.
func openKey(t *testing.T, c *gotosocial.Config, key string) (string, error) {
	t.Helper()
	f := media.OpenFolder(c)
	defer f.Close()
	info, statErr := f.Stat(t.Context(), key)
	r, err := f.Open(t.Context(), key)
	if (statErr == nil) != (err == nil) {
		t.Errorf("Stat says %v, Open says %v", statErr, err)
	}
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	testkit.OK(t, err)
	if info.Size != int64(len(text)) || info.Changed.IsZero() {
		t.Errorf("%+v", info)
	}
	return string(text), nil
}

func TestAccountsFolderMayLieOnAnotherDisk(t *testing.T) {
	folder, c := storage(t)
	other := filepath.Join(t.TempDir(), "disk/01A")
	testkit.OK(t, os.MkdirAll(filepath.Dir(other), 0o755))
	testkit.OK(t, os.Rename(filepath.Join(folder, "01A"), other))
	for _, user := range []int{0, testkit.Nobody} { // root or the server's user made the link
		for _, target := range []string{other, "../" + strings.Repeat("../", 20) + other} {
			link := filepath.Join(folder, "01A")
			os.Remove(link)
			testkit.OK(t, os.Symlink(target, link))
			testkit.OK(t, os.Lchown(link, user, user))
			if text, err := openKey(t, c, "01A/attachment/original/a.png"); err != nil || text != "picture" {
				t.Errorf("link of user %d to %s: %q, %v", user, target, text, err)
			}
		}
	}
}

func TestLinkBringsNoFileOfAnotherUser(t *testing.T) {
	folder, c := storage(t)
	secrets := t.TempDir()
	testkit.Write(t, filepath.Join(secrets, "live/privkey.pem"), "secret")
	links := map[string]string{
		"certs":                          secrets,
		"01B":                            secrets + "/live",
		"01A/attachment/original/key":    secrets + "/live/privkey.pem",
		"01A/attachment/original/loop":   "loop",
		"01A/attachment/original/folder": secrets,
	}
	for name, target := range links {
		testkit.OK(t, os.Symlink(target, filepath.Join(folder, name)))
	}
	testkit.OK(t, os.Lchown(filepath.Join(folder, "01B"), testkit.Nobody, testkit.Nobody))
	for _, key := range []string{"certs/live/privkey.pem", "01B/privkey.pem", "01A/attachment/original/key"} {
		if text, err := openKey(t, c, key); err == nil || !strings.Contains(err.Error(), "a file of root") {
			t.Errorf("%s: %q, %v", key, text, err)
		}
	}
	const original = "01A/attachment/original/"
	for _, key := range []string{original + "loop", original + "folder", "01B", "certs/gone"} {
		if text, err := openKey(t, c, key); err == nil {
			t.Errorf("%s: %q", key, text)
		}
	}
}
