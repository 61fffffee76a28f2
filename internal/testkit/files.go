package testkit

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Read returns the content of a file.
func Read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	OK(t, err)
	return data
}

// Write writes a file with mode 0644, and creates missing parent folders with
// mode 0755.
func Write[T ~string | ~[]byte](t testing.TB, path string, data T) {
	t.Helper()
	OK(t, os.MkdirAll(filepath.Dir(path), 0o755))
	OK(t, os.WriteFile(path, []byte(data), 0o644))
}

// Names returns the names of a folder's entries in byte order.
func Names(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	OK(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Size returns the size of a file in bytes.
func Size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	OK(t, err)
	return info.Size()
}

// User returns the user and the group of a file. User does not follow a link.
func User(t testing.TB, path string) (uid, gid int) {
	t.Helper()
	info, err := os.Lstat(path)
	OK(t, err)
	stat := info.Sys().(*syscall.Stat_t)
	return int(stat.Uid), int(stat.Gid)
}

// Sum returns the SHA-256 of a file in lower-case hexadecimal digits.
func Sum(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	OK(t, err)
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	OK(t, err)
	return hex.EncodeToString(h.Sum(nil))
}

// Walk calls visit for every file and link below dir, with the path relative to
// dir. Walk visits no folders.
func Walk(t testing.TB, dir string, visit func(name string)) {
	t.Helper()
	OK(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		visit(name)
		return err
	}))
}

// Tree returns all files and links below dir: for a file the SHA-256 of [Sum], for
// a link "-> " and the target.
func Tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	Walk(t, dir, func(name string) {
		path := filepath.Join(dir, name)
		if target, err := os.Readlink(path); err == nil {
			tree[name] = "-> " + target
			return
		}
		tree[name] = Sum(t, path)
	})
	return tree
}

// SameTree reports each difference between the folder dir and want, a result of
// [Tree].
func SameTree(t testing.TB, dir string, want map[string]string) {
	t.Helper()
	got := Tree(t, dir)
	for name, sum := range want {
		switch have, exists := got[name]; {
		case !exists:
			t.Errorf("%s lacks %s", dir, name)
		case have != sum:
			t.Errorf("%s has other bytes in %s", dir, name)
		}
	}
	for name := range got {
		if _, wanted := want[name]; !wanted {
			t.Errorf("%s has an unexpected %s", dir, name)
		}
	}
}
