package disk_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/disk"
	"holdfast/internal/testkit"
)

func TestUsersNamesEverybodyWhoCanReplaceAFile(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := t.TempDir()
	for _, name := range []string{"one/two/file", "elsewhere/target"} {
		testkit.Write(t, filepath.Join(dir, name), "text")
	}
	testkit.OK(t, os.Symlink("../../elsewhere/target", dir+"/one/two/link"))
	testkit.OK(t, errors.Join(os.Chown(dir+"/one/two/file", 3, 0), os.Chown(dir+"/one/two", 2, 0),
		os.Chown(dir+"/one", 1, 0), os.Chown(dir+"/elsewhere", 4, 0)))
	for path, want := range map[string][]int{
		"":                      nil,
		"missing/file":          nil,
		"one/two":               {1, 2},
		"one/two/file":          {1, 2, 3},
		"one/two/missing":       {1, 2},
		"one/two/file/nonsense": {1, 2, 3},
		"one/two/link":          {1, 2, 4},
	} {
		users, err := disk.Users(filepath.Join(dir, path))
		slices.Sort(users)
		if err != nil || !slices.Equal(users, want) {
			t.Errorf("Users(%q): %v, %v, want %v", path, users, err, want)
		}
	}
}

// The parent of a linked folder is the parent of the real folder.
func TestGuardFollowsLinksAsTheKernelDoes(t *testing.T) {
	dir := t.TempDir()
	testkit.Write(t, dir+"/real/open/file", "text")
	testkit.OK(t, os.MkdirAll(dir+"/real/inner", 0o755))
	testkit.OK(t, os.Chmod(dir+"/real/open", 0o777))
	testkit.OK(t, os.Symlink("../open/file", dir+"/real/inner/link"))
	testkit.OK(t, os.Symlink("real/inner", dir+"/inner"))
	testkit.Write(t, dir+"/open/file", "a decoy in a guarded folder")
	var unguarded *disk.Unguarded
	err := disk.CheckGuarded(dir + "/inner/link")
	if !errors.As(err, &unguarded) || unguarded.Path != dir+"/real/open" {
		t.Errorf("%v", err)
	}
	testkit.OK(t, os.Chmod(dir+"/real/open", 0o755))
	testkit.OK(t, disk.CheckGuarded(dir+"/inner/link"))
}

// An access control list can let a user write whom the mode does not name.
func TestListedWritersAreOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shared")
	testkit.OK(t, os.Mkdir(dir, 0o755))
	testkit.OK(t, os.Chmod(dir, 0o775)) // this user's group may write
	testkit.OK(t, disk.CheckGuarded(dir))
	list := binary.LittleEndian.AppendUint32(nil, 2) // the version
	for _, entry := range []struct {
		tag, rights uint16
		user        uint32
	}{{1, 7, 1<<32 - 1}, {2, 7, testkit.Nobody}, {4, 5, 1<<32 - 1}, {16, 7, 1<<32 - 1}, {32, 5, 1<<32 - 1}} {
		list = binary.LittleEndian.AppendUint16(list, entry.tag)
		list = binary.LittleEndian.AppendUint16(list, entry.rights)
		list = binary.LittleEndian.AppendUint32(list, entry.user)
	}
	if err := unix.Setxattr(dir, "system.posix_acl_access", list, 0); err != nil {
		testkit.Missing(t, "set an access control list: %v", err)
	}
	var unguarded *disk.Unguarded
	if err := disk.CheckGuarded(dir); !errors.As(err, &unguarded) || unguarded.User != -1 {
		t.Errorf("%v", err)
	}
}

// The sticky bit keeps the entries of a folder. On a file the bit changes nothing.
func TestStickyBitGuardsOnlyFolders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	testkit.Write(t, file, "text")
	testkit.OK(t, os.Chmod(file, 0o666|os.ModeSticky))
	var unguarded *disk.Unguarded
	if err := disk.CheckGuarded(file); !errors.As(err, &unguarded) || unguarded.Path != file {
		t.Errorf("%v", err)
	}
}
