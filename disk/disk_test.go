package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/disk"
	"holdfast/internal/testkit"
)

func TestOpenTakesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	testkit.Write(t, file, "text")
	testkit.OK(t, syscall.Mkfifo(pipe, 0o600))
	root, err := os.OpenRoot(dir)
	testkit.OK(t, err)
	defer root.Close()
	for _, c := range []struct {
		path    string
		regular bool
	}{{file, true}, {pipe, false}, {dir, false}} {
		f, err := disk.Open(c.path)
		if (err == nil) != c.regular {
			t.Errorf("Open(%s): %v", c.path, err)
		}
		if err == nil {
			testkit.OK(t, f.Close())
		}
		if got := disk.IsRegular(c.path); got != c.regular {
			t.Errorf("IsRegular(%s) is %t", c.path, got)
		}
		name, err := filepath.Rel(dir, c.path)
		testkit.OK(t, err)
		f, err = disk.OpenIn(root, name)
		if (err == nil) != c.regular {
			t.Errorf("OpenIn(%s): %v", name, err)
		}
		if err == nil {
			testkit.OK(t, f.Close())
		}
	}
}

// os.OpenRoot would wait for the other end of the pipe.
func TestOpenRootTakesFoldersOnly(t *testing.T) {
	dir := t.TempDir()
	testkit.Write(t, dir+"/folder/file", "text")
	testkit.OK(t, syscall.Mkfifo(dir+"/pipe", 0o600))
	testkit.OK(t, os.Symlink("folder", dir+"/link"))
	for name, isFolder := range map[string]bool{"folder": true, "link": true, "folder/file": false, "pipe": false} {
		root, err := disk.OpenRoot(filepath.Join(dir, name))
		if isFolder != (err == nil) || err != nil && !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			testkit.OK(t, root.Close())
		}
	}
}

func TestWriteNewNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	testkit.OK(t, disk.WriteNew(path, strings.NewReader("first")))
	if err := disk.WriteNew(path, strings.NewReader("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second WriteNew: %v", err)
	}
	if text := string(testkit.Read(t, path)); text != "first" {
		t.Errorf("the file holds %q", text)
	}
	info, err := os.Stat(path)
	testkit.OK(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestWriteNewLeavesNoPartOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := disk.WriteNew(path, brokenReader{}); err == nil {
		t.Error("no error")
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file is left: %v", err)
	}
}

func TestReplaceGoesOnFromAKilledReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	testkit.Write(t, path, "old")
	testkit.Write(t, path+disk.PartSuffix, "a killed process wrote this half")
	testkit.OK(t, disk.Replace(path, []byte("new")))
	if text := string(testkit.Read(t, path)); text != "new" {
		t.Errorf("the file holds %q", text)
	}
	if _, err := os.Lstat(path + disk.PartSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the part is left: %v", err)
	}
}

func TestReplaceFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	testkit.Write(t, other, "untouched")
	testkit.OK(t, os.Symlink(other, filepath.Join(dir, "journal"+disk.PartSuffix)))
	if err := disk.Replace(filepath.Join(dir, "journal"), []byte("new")); err == nil {
		t.Error("Replace wrote through a link")
	}
	if text := string(testkit.Read(t, other)); text != "untouched" {
		t.Errorf("the link's target holds %q", text)
	}
}

func TestLockIsExclusiveAndEndsWithClose(t *testing.T) {
	dir := t.TempDir()
	first, err := disk.LockFolder(dir)
	testkit.OK(t, err)
	if _, err := disk.LockFolder(dir); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	testkit.OK(t, first.Close())
	second, err := disk.LockFolder(dir)
	testkit.OK(t, err)
	testkit.OK(t, second.Close())
}

func TestLockFolderFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	testkit.OK(t, os.Symlink(t.TempDir(), link))
	if f, err := disk.LockFolder(link); err == nil {
		f.Close()
		t.Error("LockFolder followed a link")
	}
}

func TestScratchHasNoName(t *testing.T) {
	dir := t.TempDir()
	f, err := disk.Scratch(dir)
	testkit.OK(t, err)
	defer f.Close()
	entries, err := os.ReadDir(dir)
	testkit.OK(t, err)
	if len(entries) > 0 {
		t.Errorf("%s is visible", entries[0].Name())
	}
}

func TestNearestIsAnExistingFolder(t *testing.T) {
	dir := t.TempDir()
	testkit.Write(t, filepath.Join(dir, "file"), "")
	for _, path := range []string{dir, filepath.Join(dir, "a", "b"), filepath.Join(dir, "file")} {
		if got := disk.Nearest(path); got != dir {
			t.Errorf("Nearest(%s) is %s", path, got)
		}
	}
	if room, err := disk.Free(dir); err != nil || room.Bytes <= 0 || room.Files <= 0 {
		t.Errorf("Free: %+v, %v", room, err)
	}
}

func TestFreeCountsBytesAndInodes(t *testing.T) {
	dir := t.TempDir()
	testkit.MountSmallDisk(t, dir, "size=1m,nr_inodes=10")
	testkit.Write(t, filepath.Join(dir, "file"), "x")
	room, err := disk.Free(dir)
	testkit.OK(t, err)
	if want := (disk.Room{Bytes: 1<<20 - 4<<10, Files: 8, Block: 4 << 10, Exact: true}); room != want {
		t.Errorf("Free: %+v, want %+v", room, want)
	}
}

func TestIDsTakesNamesAndNumbers(t *testing.T) {
	for _, name := range []string{"root:root", "root:", "root", "0:0", "0:root"} {
		if uid, gid, err := disk.IDs(name); uid != 0 || gid != 0 || err != nil {
			t.Errorf("IDs(%q) is %d, %d, %v", name, uid, gid, err)
		}
	}
	if _, _, err := disk.IDs("no-such-user:root"); err == nil {
		t.Error("an unknown user has a number")
	}
	if got := disk.UserName(0); got != "root" {
		t.Errorf("UserName(0) is %q", got)
	}
	if got := disk.UserName(4_000_000); got != "#4000000" {
		t.Errorf("UserName(4000000) is %q", got)
	}
}

func TestFolderThatOthersMayRenameIsUnguarded(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "open", "inner")
	testkit.OK(t, os.MkdirAll(inner, 0o755))
	testkit.OK(t, disk.CheckGuarded(inner))
	testkit.OK(t, os.Chmod(filepath.Dir(inner), 0o777))
	link := filepath.Join(dir, "link")
	testkit.OK(t, os.Symlink("open/inner", link))
	for _, path := range []string{inner, link} {
		var unguarded *disk.Unguarded
		err := disk.CheckGuarded(path)
		if !errors.As(err, &unguarded) || unguarded.Path != filepath.Dir(inner) || unguarded.User != -1 {
			t.Errorf("CheckGuarded(%s): %v", path, err)
		}
	}
	testkit.OK(t, os.Chmod(filepath.Dir(inner), 0o777|os.ModeSticky))
	testkit.OK(t, disk.CheckGuarded(inner))
	if os.Geteuid() == 0 {
		testkit.OK(t, os.Chown(filepath.Dir(inner), 1, 1))
		var unguarded *disk.Unguarded
		if err := disk.CheckGuarded(inner); !errors.As(err, &unguarded) || unguarded.User != 1 {
			t.Errorf("a folder of user 1: %v", err)
		}
	}
}
