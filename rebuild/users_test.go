package rebuild

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// A snapshot's owner is in a command that a person pastes.
func TestCommandToPasteHoldsNoOther(t *testing.T) {
	got := remedy.ShellLine(userCommands("x;reboot:it's")...)
	want := `groupadd --system 'it'\''s' && ` +
		`useradd --system --no-create-home --shell /usr/sbin/nologin --gid 'it'\''s' 'x;reboot'`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	want = "useradd --system --no-create-home --shell /usr/sbin/nologin --gid root -- -x"
	if got := remedy.ShellLine(userCommands("-x:root")...); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Whose the folder around it is may lead the storage anywhere.
func TestStorageThatOthersLeadElsewhereGivesNothingAway(t *testing.T) {
	testkit.NeedsRoot(t)
	for name, guarded := range map[string]bool{"root's": true, "the server's": false} {
		t.Run(name, func(t *testing.T) {
			dir, disk := t.TempDir(), t.TempDir()
			text := "host: example.org\ndb-type: sqlite\ndb-address: /nowhere/sqlite.db\n" +
				"storage-local-base-path: " + dir + "/storage\n"
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
			m := &Machine{Config: c, Folder: t.TempDir(), User: "nobody:nogroup"}
			if _, err := m.PutMedia(t.Context()); err != nil {
				t.Fatal(err)
			}
			if uid := owned(t, disk); uid != 0 {
				t.Errorf("given away to %d before all is there", uid)
			}
			if err := m.GiveStorage(); err != nil {
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
