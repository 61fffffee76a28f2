package machine

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
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

// The user who owns the folder above the storage may lead the storage anywhere.
func TestStorageThatOthersLeadElsewhereGivesNothingAway(t *testing.T) {
	testkit.NeedsRoot(t)
	for name, guarded := range map[string]bool{"root's": true, "the server's": false} {
		t.Run(name, func(t *testing.T) {
			dir, disk := testkit.PublicDir(t), testkit.PublicDir(t)
			testkit.OK(t, errors.Join(os.Chmod(dir, 0o755), os.Chmod(disk, 0o755), os.Symlink(disk, dir+"/storage"),
				os.Mkdir(dir+"/database", 0o755), os.Chown(dir+"/database", testkit.Nobody, testkit.Nobody)))
			if !guarded {
				testkit.OK(t, os.Chown(dir, testkit.Nobody, testkit.Nobody))
			}
			m := machineIn(t, dir, dir+"/database/sqlite.db")
			if findings := m.inspectServerFolders(); (firstRefused(findings).Detail == "") != guarded {
				t.Errorf("%+v", findings)
			}
			_, err := m.PutMedia(t.Context())
			testkit.OK(t, err)
			if uid := owned(t, disk); uid != 0 {
				t.Errorf("the storage belongs to %d before the other steps", uid)
			}
			if err := m.GiveFolders(); (err == nil) != guarded {
				t.Error(err)
			}
			if uid := owned(t, disk); (uid == testkit.Nobody) != guarded {
				t.Errorf("the storage belongs to %d", uid)
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

// An admin keeps the compose file in the home folder, and logs in after the restore.
func TestOwnerOfAHomeIsMadeAsAPerson(t *testing.T) {
	m := &Machine{Files: []manifest.File{
		{Part: manifest.Files, Path: "home/hfadmin/gotosocial/docker-compose.yaml", User: "hfadmin:hfadmin"},
		{Part: manifest.Files, Path: "home/hfadmin/gotosocial/secret", User: "hfadmin:root"},
		{Part: manifest.Files, Path: "srv/x", User: "hfdaemon:hfdaemon"},
	}}
	for user, want := range map[string]string{
		"hfadmin:hfadmin": "useradd --create-home --shell /bin/bash --user-group hfadmin",
		"hfadmin:root":    "useradd --create-home --shell /bin/bash --gid root hfadmin",
		"hfdaemon:hfdaemon": "groupadd --system hfdaemon && " +
			"useradd --system --no-create-home --shell /usr/sbin/nologin --gid hfdaemon hfdaemon",
		"root:root": "",
	} {
		if got := remedy.ShellLine(m.fileCommands(user)...); got != want {
			t.Errorf("%s: %s, want %s", user, got, want)
		}
	}
}
