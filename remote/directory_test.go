package remote

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/testkit"
)

func TestDirectoryWrittenByRootBelongsToItsUser(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := t.TempDir()
	testkit.OK(t, os.Chown(dir, testkit.Nobody, testkit.Nobody-1))
	testkit.OK(t, create(t, dir).Put(t.Context(), name("x"), strings.NewReader("x"), 1))
	for _, file := range []string{"packs", "tmp", name("x")} {
		if uid, gid := testkit.User(t, filepath.Join(dir, file)); uid != testkit.Nobody || gid != testkit.Nobody-1 {
			t.Errorf("%s belongs to %d:%d", file, uid, gid)
		}
	}
}

func TestUnmountedDirectoryRefusesEveryCall(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "disk", "remote")
	empty := t.TempDir()
	for _, dir := range []string{missing, empty} {
		s := open(t, dir)
		err := s.Put(t.Context(), name("x"), strings.NewReader("x"), 1)
		if !errors.Is(err, ErrNotMounted) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Put = %v, want ErrNotMounted", err)
		}
		for _, err := range s.List(t.Context(), "") {
			if !errors.Is(err, ErrNotMounted) || !errors.Is(err, ErrUnreachable) {
				t.Errorf("List = %v, want ErrNotMounted", err)
			}
		}
	}
	s := open(t, missing)
	_, getErr := s.Get(t.Context(), name("x"))
	var listErr error
	for _, err := range s.List(t.Context(), "") {
		listErr = err
	}
	if want := "folder " + missing + " does not exist"; listErr.Error() != want {
		t.Errorf("List = %q, want %q", listErr, want)
	}
	deleteErr := s.(Pruner).Delete(t.Context(), name("x"))
	for verb, err := range map[string]error{"Get": getErr, "List": listErr, "Delete": deleteErr} {
		if !errors.Is(err, ErrUnreachable) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s = %v, want ErrUnreachable", verb, err)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the folder was made")
	}
	if entries, _ := os.ReadDir(empty); len(entries) != 0 {
		t.Errorf("the mount point now holds %v", entries)
	}
	if _, err := Create(t.Context(), missing, Config{}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("Create below a missing folder = %v, want ErrUnreachable", err)
	}
}

// The recovery kit often lies beside the repository, and both names are completed by a shell.
func TestFileInPlaceOfTheFolderIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kit.txt")
	testkit.OK(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{file, filepath.Join(file, "repo")} {
		var listErr error
		for _, err := range open(t, path).List(t.Context(), "") {
			listErr = err
		}
		_, createErr := Create(t.Context(), path, Config{})
		for verb, err := range map[string]error{"List": listErr, "Create": createErr} {
			if !errors.Is(err, ErrNotFolder) || !strings.Contains(err.Error(), file+" is a file, not a folder") {
				t.Errorf("%s = %v", verb, err)
			}
		}
	}
}

func TestCreateMakesTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "remote")
	for range 2 {
		s, err := Create(t.Context(), dir, Config{})
		testkit.OK(t, err)
		testkit.OK(t, s.Put(t.Context(), name("x"), strings.NewReader("x"), 1))
	}
	for file, want := range map[string]fs.FileMode{"": 0o700, "packs": 0o700, "tmp": 0o700, name("x"): 0o600} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != want {
			t.Errorf("mode of %q = %v (%v), want %v", file, info.Mode(), err, want)
		}
	}
}

// A copy made with other tools has no tmp/.
func TestDirectoryCopiedWithoutTmpWorks(t *testing.T) {
	dir := t.TempDir()
	testkit.OK(t, os.Mkdir(filepath.Join(dir, "packs"), 0o700))
	if err := open(t, dir).Put(t.Context(), name("x"), strings.NewReader("x"), 1); err != nil {
		t.Error(err)
	}
}

func TestDirectoryKeepsAnObjectOfRightSizeAndReplacesOthers(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	file := filepath.Join(dir, name("whole"))
	put := func(before string) string {
		t.Helper()
		testkit.OK(t, os.MkdirAll(filepath.Dir(file), 0o700))
		testkit.OK(t, os.WriteFile(file, []byte(before), 0o600))
		testkit.OK(t, s.Put(t.Context(), name("whole"), strings.NewReader("whole"), 5))
		after, err := os.ReadFile(file)
		testkit.OK(t, err)
		return string(after)
	}
	if got := put("WHOLE"); got != "WHOLE" {
		t.Errorf("an object of the right size was rewritten: %q", got)
	}
	if got := put("who"); got != "whole" {
		t.Errorf("a cut object was kept: %q", got)
	}
}

func TestDirectoryNeverListsUnfinishedAndSweepsStaleObjects(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	stale, fresh := filepath.Join(dir, "tmp", "stale"), filepath.Join(dir, "tmp", "fresh")
	for _, file := range []string{stale, fresh} {
		testkit.OK(t, os.WriteFile(file, []byte("half"), 0o600))
	}
	old := time.Now().Add(-25 * time.Hour)
	testkit.OK(t, os.Chtimes(stale, old, old))
	for _, prefix := range []string{"", "tmp", "tmp/"} {
		for object, err := range s.List(t.Context(), prefix) {
			t.Errorf("List(%q) yields %v, %v", prefix, object, err)
		}
	}
	testkit.OK(t, s.Put(t.Context(), name("x"), strings.NewReader("x"), 1))
	entries, err := os.ReadDir(filepath.Join(dir, "tmp"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "fresh" {
		t.Errorf("tmp holds %v (%v), want the fresh one only", entries, err)
	}
}

func TestDirectoryFailedPutLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	if err := s.Put(t.Context(), name("x"), strings.NewReader("y"), 1); err == nil {
		t.Error("other bytes were taken")
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(entries) != 0 {
		t.Errorf("tmp holds %v (%v)", entries, err)
	}
}

func TestDirectoryDoesNotFollowLinksOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s := create(t, dir)
	testkit.OK(t, os.Symlink(outside, filepath.Join(dir, "packs")))
	if err := s.Put(t.Context(), name("x"), strings.NewReader("x"), 1); err == nil {
		t.Error("Put wrote outside the root")
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 0 {
		t.Errorf("outside now holds %v", entries)
	}
}

func TestDirectoryErrorsHaveCauses(t *testing.T) {
	d := &directory{path: "/srv/backup"}
	for errno, want := range map[syscall.Errno]error{
		syscall.ENOSPC: ErrFull, syscall.EDQUOT: ErrFull,
		syscall.EACCES: ErrRights, syscall.EPERM: ErrCredentials, syscall.EROFS: ErrReadOnly,
		syscall.EIO: ErrUnreachable, syscall.ESTALE: ErrUnreachable, syscall.ENOENT: fs.ErrNotExist,
	} {
		err := d.fail("put", "packs/1", &fs.PathError{Op: "write", Path: "tmp/1", Err: errno})
		if !errors.Is(err, want) || !errors.Is(err, errno) {
			t.Errorf("%v = %v, want %v", errno, err, want)
		}
	}
}

func TestDirectoryWithoutInodesSaysSo(t *testing.T) {
	dir := t.TempDir()
	testkit.MountSmallDisk(t, dir, "size=1m,nr_inodes=4") // the folder itself, tmp/, packs/ and one file
	s := create(t, dir)
	testkit.OK(t, s.Put(t.Context(), name("x"), strings.NewReader("x"), 1))
	err := s.Put(t.Context(), name("y"), strings.NewReader("y"), 1)
	if !errors.Is(err, ErrFull) || !strings.Contains(fmt.Sprint(err), dir+" has no free inodes") {
		t.Errorf("Put = %v, want a word about inodes", err)
	}
}

func TestDirectoryOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	testkit.MountSmallDisk(t, dir, "size=1m")
	s := create(t, dir)
	data := strings.Repeat("x", 2<<20)
	if err := s.Put(t.Context(), name(data), strings.NewReader(data), int64(len(data))); !errors.Is(err, ErrFull) ||
		!strings.HasPrefix(err.Error(), "the disk of "+dir+" is full") {
		t.Errorf("Put = %v, want ErrFull with the folder first", err)
	}
	if err := s.Put(t.Context(), name("x"), strings.NewReader("x"), 1); err != nil {
		t.Errorf("the failed Put kept its space: %v", err)
	}
}

func BenchmarkDirectoryPut(b *testing.B) { benchmarkPut(b, create(b, b.TempDir())) }

// benchmarkPut deletes each pack: a Put of a stored pack would write nothing.
func benchmarkPut(b *testing.B, s Store) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	name := name(string(data))
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		testkit.OK(b, s.Put(b.Context(), name, bytes.NewReader(data), int64(len(data))))
		testkit.OK(b, s.(Pruner).Delete(b.Context(), name))
	}
}

func name(data string) string {
	sum := sha256.Sum256([]byte(data))
	return "packs/" + hex.EncodeToString(sum[:])
}

func open(t testing.TB, url string) Store {
	t.Helper()
	s, err := Open(t.Context(), url, Config{AccessKey: "access", SecretKey: "hunter2"})
	testkit.OK(t, err)
	return s
}

func create(t testing.TB, url string) Store {
	t.Helper()
	s, err := Create(t.Context(), url, Config{AccessKey: "access", SecretKey: "hunter2"})
	testkit.OK(t, err)
	return s
}

func TestPipesAndFoldersInADirectoryHangNothing(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	testkit.OK(t, s.Put(t.Context(), name("whole"), strings.NewReader("whole"), 5))
	testkit.OK(t, syscall.Mkfifo(filepath.Join(dir, name("pipe")), 0o600))
	testkit.OK(t, os.Mkdir(filepath.Join(dir, name("folder")), 0o700))
	testkit.OK(t, syscall.Mkfifo(filepath.Join(dir, "keys"), 0o600))
	for _, what := range []string{"pipe", "folder"} {
		if body, err := s.Get(t.Context(), name(what)); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, %v", what, body, err)
		}
	}
	testkit.OK(t, s.Put(t.Context(), name("pipe"), strings.NewReader("pipe"), 4)) // takes the place
	if _, err := s.Get(t.Context(), name("pipe")); err != nil {
		t.Error(err)
	}
	key := "keys/" + strings.TrimPrefix(name("whole"), "packs/")
	if err := s.Put(t.Context(), key, strings.NewReader("whole"), 5); err == nil {
		t.Error("an object was put into a pipe")
	}
	found := false
	for o, err := range s.List(t.Context(), "") {
		testkit.OK(t, err)
		found = found || o.Name == name("whole")
	}
	if !found {
		t.Error("the list lacks an object")
	}
	testkit.OK(t, os.RemoveAll(filepath.Join(dir, "tmp")))
	testkit.OK(t, syscall.Mkfifo(filepath.Join(dir, "tmp"), 0o600))
	if err := s.Put(t.Context(), name("new"), strings.NewReader("new"), 3); err == nil {
		t.Error("tmp is a pipe, and a Put succeeded")
	}
}

// The time for deep folders grows with the square of the depth: a user of the disk can
// make folders that take hours to search.
func TestListSearchesNoDeepFolders(t *testing.T) {
	dir := t.TempDir()
	s := create(t, dir)
	testkit.OK(t, s.Put(t.Context(), name("x"), strings.NewReader("x"), 1))
	testkit.Write(t, filepath.Join(dir, "other/program/file"), "named by a List")
	testkit.Write(t, filepath.Join(dir, strings.Repeat("deep/", 50), "file"), "beyond a List")
	var found []string
	for o, err := range s.List(t.Context(), "") {
		testkit.OK(t, err)
		found = append(found, o.Name)
	}
	if want := []string{"other/program/file", name("x")}; !slices.Equal(found, want) {
		t.Errorf("the List has %v, want %v", found, want)
	}
}

// Hundreds of thousands of packs lie in one folder, and a thief may add files.
func TestListOfAFolderWithManyFilesCostsNoMemory(t *testing.T) {
	const files = 30_000
	dir := t.TempDir()
	testkit.OK(t, os.MkdirAll(dir+"/packs", 0o700))
	for n := range files {
		testkit.OK(t, syscall.Mknod(fmt.Sprintf("%s/packs/%064x", dir, n), syscall.S_IFREG|0o600, 0))
	}
	heap := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before, listed := heap(), 0
	for o, err := range open(t, dir).List(t.Context(), "packs/") {
		testkit.OK(t, err)
		if listed++; listed == 1 {
			if cost := heap() - before; cost > 1<<20 {
				t.Errorf("the List holds %d bytes at %s", cost, o.Name)
			}
		}
	}
	if listed != files {
		t.Errorf("%d files listed, want %d", listed, files)
	}
}
