package rebuild

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// A snapshot's owner is in a command that a person pastes.
func TestCommandToPasteHoldsNoOther(t *testing.T) {
	got := inShell(making("x;reboot:it's"))
	want := `groupadd --system 'it'\''s' && useradd --system --no-create-home --shell /usr/sbin/nologin --gid 'it'\''s' 'x;reboot'`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got, want := inShell(making("-x:root")), "useradd --system --no-create-home --shell /usr/sbin/nologin --gid root -- -x"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Whose the folder around it is may lead the storage anywhere.
func TestStorageThatOthersLeadElsewhereGivesNothingAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for name, guarded := range map[string]bool{"root's": true, "the server's": false} {
		t.Run(name, func(t *testing.T) {
			dir, disk := t.TempDir(), t.TempDir()
			text := "host: example.org\ndb-type: sqlite\ndb-address: /nowhere/sqlite.db\nstorage-local-base-path: " + dir + "/storage\n"
			err := errors.Join(os.WriteFile(dir+"/config.yaml", []byte(text), 0o600), os.Symlink(disk, dir+"/storage"))
			if !guarded {
				err = errors.Join(err, os.Chown(dir, nobody, nobody))
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := gotosocial.Load(dir+"/config.yaml", nil)
			if err != nil {
				t.Fatal(err)
			}
			r := &Rebuild{Config: c, From: t.TempDir(), User: "nobody:nogroup"}
			if _, err := r.Media(t.Context()); err != nil {
				t.Fatal(err)
			}
			if uid := owned(t, disk); uid != 0 {
				t.Errorf("given away to %d before all is there", uid)
			}
			if _, err := r.GiveStorage(t.Context()); err != nil {
				t.Fatal(err)
			}
			if uid := owned(t, disk); (uid == nobody) != guarded {
				t.Errorf("it belongs to %d", uid)
			}
		})
	}
}

func owned(t *testing.T, path string) uint32 {
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// A folder is as safe as every link and folder on the way to it.
func TestFolderIsGuardedAlongLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	err := errors.Join(os.MkdirAll(dir+"/theirs/below", 0o755), os.Chown(dir+"/theirs", nobody, nobody), os.Mkdir(dir+"/ours", 0o755),
		os.Symlink("theirs/below", dir+"/link"), os.Symlink("ours", dir+"/fine"), os.Symlink("ours", dir+"/planted"), os.Lchown(dir+"/planted", nobody, nobody))
	if err != nil {
		t.Fatal(err)
	}
	for name, fine := range map[string]bool{"ours": true, "fine": true, "theirs": false, "theirs/below": false, "link": false, "planted": false} {
		if err := Guarded(filepath.Join(dir, name)); (err == nil) != fine {
			t.Errorf("%s: %v", name, err)
		} else if err != nil && (!remedy.Is(err, remedy.Refused) || !strings.Contains(err.Error(), "belongs to nobody")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
