package instance_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/instance"
	"holdfast/instance/instancetest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// listing returns the files part with the folders, and the texts about rights that the
// snapshot leaves out.
func listing(t *testing.T, i *instance.Instance) (all map[string]manifest.File, leftOut string) {
	t.Helper()
	all = map[string]manifest.File{}
	for f, err := range i.Files(t.Context()) {
		if errors.Is(err, errors.ErrUnsupported) {
			leftOut += err.Error() + "\n"
			continue
		}
		testkit.OK(t, err)
		all["/"+f.Path] = f
	}
	return all, leftOut
}

func TestFoldersComeWithModeAndUser(t *testing.T) {
	testkit.NeedsRoot(t)
	dir, extra := small(t, "WAL"), filepath.Join(t.TempDir(), "extra")
	testkit.Write(t, extra+"/private/key", "key")
	testkit.OK(t, os.Mkdir(extra+"/empty", 0o750))
	testkit.OK(t, os.Chmod(extra+"/private", 0o700))
	testkit.OK(t, os.Chown(extra+"/private", testkit.Nobody, testkit.Nobody))
	all, _ := listing(t, instancetest.Open(t, dir, instance.Options{Extra: []string{extra}}))
	for path, want := range map[string]manifest.File{
		extra + "/private":  {Mode: 0o700, User: "nobody:nogroup"},
		extra + "/empty":    {Mode: 0o750, User: "root:root"},
		filepath.Dir(extra): {Mode: 0o755, User: "root:root"}, // the folder above
		dir:                 {Mode: 0o755, User: "root:root"}, // above the configuration
	} {
		f := all[path]
		if !f.Folder || f.Mode != want.Mode || f.User != want.User || f.Size != 0 || !f.Modified.IsZero() {
			t.Errorf("%s: %+v", path, f)
		}
	}
	for _, path := range []string{dir + "/storage/01A", dir + "/storage"} {
		if f, listed := all[path]; listed {
			t.Errorf("a folder of the media is a line: %+v", f)
		}
	}
}

// setACL lets one more user read a file, as setfacl does: the mask shows in the mode.
func setACL(t *testing.T, path string) {
	t.Helper()
	acl := binary.LittleEndian.AppendUint32(nil, 2)
	const none = 1<<32 - 1
	for _, e := range []struct {
		tag, rights uint16
		id          uint32
	}{{1, 6, none}, {2, 4, 1234}, {4, 0, none}, {16, 4, none}, {32, 0, none}} {
		acl = binary.LittleEndian.AppendUint16(acl, e.tag)
		acl = binary.LittleEndian.AppendUint16(acl, e.rights)
		acl = binary.LittleEndian.AppendUint32(acl, e.id)
	}
	if err := unix.Setxattr(path, "system.posix_acl_access", acl, 0); err != nil {
		testkit.Missing(t, "no ACLs: %v", err)
	}
}

func TestMaskOfAnACLIsNoRightOfTheGroup(t *testing.T) {
	dir, extra := small(t, "WAL"), t.TempDir()
	testkit.Write(t, extra+"/key", "key")
	testkit.OK(t, os.Chmod(extra+"/key", 0o600))
	setACL(t, extra+"/key")
	all, leftOut := listing(t, instancetest.Open(t, dir, instance.Options{Extra: []string{extra}}))
	if f := all[extra+"/key"]; f.Mode != 0o600 {
		t.Errorf("mode %o", f.Mode)
	}
	if !strings.Contains(leftOut, "the ACL of "+extra+"/key;") {
		t.Errorf("left out: %s", leftOut)
	}
}

// An admin lets a program listen on port 443: setcap cap_net_bind_service=+ep gotosocial.
func TestCapabilitiesAreNamed(t *testing.T) {
	testkit.NeedsRoot(t)
	dir, extra := small(t, "WAL"), t.TempDir()
	testkit.Write(t, extra+"/gotosocial", "program")
	testkit.Write(t, extra+"/plain", "program")
	const bindService = 1 << 10
	capabilities := binary.LittleEndian.AppendUint32(nil, 0x02000001) // version 2, effective
	for _, word := range []uint32{bindService, 0, 0, 0} {
		capabilities = binary.LittleEndian.AppendUint32(capabilities, word)
	}
	if err := unix.Setxattr(extra+"/gotosocial", "security.capability", capabilities, 0); err != nil {
		testkit.Missing(t, "no capabilities: %v", err)
	}
	_, leftOut := listing(t, instancetest.Open(t, dir, instance.Options{Extra: []string{extra}}))
	if !strings.Contains(leftOut, "the capabilities of "+extra+"/gotosocial;") || strings.Contains(leftOut, "plain") {
		t.Errorf("left out: %s", leftOut)
	}
}

func TestSpecialBitsAreNamed(t *testing.T) {
	dir, extra := small(t, "WAL"), t.TempDir()
	for name, mode := range map[string]uint32{"setuid": 0o4755, "setgid": 0o2755, "plain": 0o755} {
		testkit.Write(t, filepath.Join(extra, name), name)
		testkit.OK(t, unix.Chmod(filepath.Join(extra, name), mode))
	}
	testkit.OK(t, os.Mkdir(extra+"/sticky", 0o700))
	testkit.OK(t, unix.Chmod(extra+"/sticky", 0o1777))
	all, leftOut := listing(t, instancetest.Open(t, dir, instance.Options{Extra: []string{extra}}))
	for name, want := range map[string]manifest.Mode{"setuid": 0o755, "setgid": 0o755, "sticky": 0o755} {
		if f := all[extra+"/"+name]; f.Mode != want {
			t.Errorf("%s: mode %o", name, f.Mode)
		}
		if !strings.Contains(leftOut, extra+"/"+name) {
			t.Errorf("%s is not named: %s", name, leftOut)
		}
	}
	if strings.Contains(leftOut, "plain") || strings.Count(leftOut, "\n") != 1 {
		t.Errorf("left out: %s", leftOut)
	}
}
