package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

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
