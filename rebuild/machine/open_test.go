package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/rebuild/restored"
	"holdfast/vault"
)

// Snapshots of old versions know no folders, and GoToSocial makes an open database.
func TestRestoreOpensNothingToOtherUsers(t *testing.T) {
	testkit.NeedsRoot(t)
	defer unix.Umask(unix.Umask(0))
	from, top := t.TempDir(), testkit.PublicDir(t)
	below := strings.TrimPrefix(top, "/")
	files := map[string]os.FileMode{
		"sqlite.db": 0o644, "storage/01A/attachment/original/a.png": 0o644,
		"files/" + below + "/etc/gotosocial/config.yaml": 0o600, "files/" + below + "/etc/unit/gts.service": 0o644,
		"files/" + below + "/etc/env/secret.env": 0o640,
	}
	m := &Machine{Folder: from, User: "nobody:nogroup", RunID: "run", Domain: "social.example.org",
		Facts: manifest.Facts{Engine: gotosocial.SQLite}}
	for name, mode := range files {
		testkit.Write(t, filepath.Join(from, name), "x")
		testkit.OK(t, os.Chmod(filepath.Join(from, name), mode))
		if path, ok := strings.CutPrefix(name, "files/"); ok {
			m.Files = append(m.Files, manifest.File{Part: manifest.Files, Path: path, Mode: manifest.Mode(mode),
				User: map[bool]string{true: "nobody:nogroup", false: "root:nogroup"}[mode == 0o600]})
		}
	}
	_, err := (&restored.Folder{Path: from}).Finish(t.Context(), testkit.OpenRoot(t, from), vault.Restored{
		Domain: m.Domain, Facts: m.Facts, Parts: map[manifest.Part]bool{manifest.Database: true, manifest.Media: true}})
	testkit.OK(t, err)
	for name, want := range map[string]string{"sqlite.db": "0640", "storage": "0700", "files": "0700"} {
		if got, _, _ := strings.Cut(standing(t, filepath.Join(from, name)), " "); got != want {
			t.Errorf("in a folder, %s has mode %s", name, got)
		}
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Write(t, config, "host: social.example.org\ndb-type: sqlite\ndb-address: "+top+"/data/sqlite.db\n"+
		"storage-local-base-path: "+top+"/media/storage\n")
	m.Config, err = gotosocial.Load(config, nil)
	testkit.OK(t, err)
	for _, step := range []func() error{
		func() error { _, err := m.PutDatabase(t.Context()); return err },
		func() error { _, err := m.PutMedia(t.Context()); return err },
		func() error { _, err := m.PutFiles(t.Context()); return err }, m.GiveFolders,
	} {
		testkit.OK(t, step())
	}
	for name, want := range map[string]string{
		"data": "0750 nobody", "data/sqlite.db": "0640 nobody", "media": "0755 root", "media/storage": "0755 nobody",
		"media/storage/01A/attachment/original":       "0755 nobody",
		"media/storage/01A/attachment/original/a.png": "0644 nobody",
		"etc": "0755 root", "etc/gotosocial": "0700 nobody", "etc/gotosocial/config.yaml": "0600 nobody",
		"etc/unit": "0755 root", "etc/unit/gts.service": "0644 root", "etc/env": "0750 root",
		"etc/env/secret.env": "0640 root",
	} {
		if got := standing(t, filepath.Join(top, name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// standing returns the mode and the user of a path.
func standing(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	testkit.OK(t, err)
	user := fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid)
	return fmt.Sprintf("%04o %s", info.Mode().Perm(), map[string]string{"0": "root", "65534": "nobody"}[user])
}
