package instance

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/manifest"
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

// Without the snapshot's word, the unit in it decides.
func TestServerRunsAsItsUnitSays(t *testing.T) {
	for _, c := range [][2]string{{"gts:gts", "gts:gts"}, {"gts:", "gts:"}, {":audio", "root:audio"}, {":", ""}, {"", ""}} {
		if got := (&Config{runAs: c[0]}).RunsAs(); got != c[1] {
			t.Errorf("%q: %q, want %q", c[0], got, c[1])
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if uid, gid, err := new(Rebuild).owner("root:"); uid != 0 || gid != 0 || err != nil {
		t.Errorf("%d:%d, %v", uid, gid, err)
	}
}

// The folder that a file goes into may belong to a user who lays traps there.
func TestFilesFromAnotherDiskAreWrittenThroughNoLink(t *testing.T) {
	from, err := os.MkdirTemp("/dev/shm", "holdfast-test-")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(from)
	dir := t.TempDir()
	if device(t, from) == device(t, dir) {
		t.Skip("/dev/shm is no other disk")
	}
	victim := filepath.Join(t.TempDir(), "victim")
	places := []string{filepath.Join(dir, ".holdfast-unit"), filepath.Join(dir, ".holdfast-RUN")}
	err = errors.Join(os.WriteFile(victim, []byte("precious"), 0o600), os.Symlink(victim, places[1]), os.WriteFile(places[0], []byte("mine"), 0o600),
		os.MkdirAll(filepath.Join(from, "files", dir), 0o755), os.WriteFile(filepath.Join(from, "files", dir, "unit"), []byte("new"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	r := &Rebuild{Config: &Config{}, From: from, Run: "RUN", Files: []manifest.File{{Part: manifest.Files, Path: listed(filepath.Join(dir, "unit"))}}}
	if _, err := r.Place(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{victim: "precious", places[0]: "mine", filepath.Join(dir, "unit"): "new"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if _, err := os.Lstat(places[1]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a run that was cut off left is there: %v", err)
	}
	// Nor where one comes between.
	if err := os.Symlink(victim, places[1]); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(filepath.Join(dir, "unit"), places[1], -1, -1); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
}

func device(t *testing.T, path string) uint64 {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		t.Fatal(err)
	}
	return uint64(s.Dev)
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
			c, err := Load(dir+"/config.yaml", nil)
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
		} else if err != nil && !strings.Contains(err.Error(), "another user") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
