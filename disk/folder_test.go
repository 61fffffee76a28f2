package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/internal/testkit"
)

func TestPutFolderMakesThePrivateFolderAgain(t *testing.T) {
	testkit.NeedsRoot(t)
	m := &Mover{Run: "RUN"}
	dir := t.TempDir()
	private := filepath.Join(dir, "above/private")
	// A killed run left its folder.
	testkit.OK(t, os.MkdirAll(filepath.Join(dir, "above/.holdfast-RUN"), 0o755))
	testkit.OK(t, m.PutFolder(private, "nobody:nogroup", 0o500))
	info, err := os.Stat(private)
	if err != nil || info.Mode().Perm() != 0o500 || info.Sys().(*syscall.Stat_t).Uid != testkit.Nobody {
		t.Fatalf("%+v, %v", info, err)
	}
	// An existing folder stays as it is.
	testkit.OK(t, m.PutFolder(dir, "nobody:nogroup", 0o700))
	if info, err := os.Stat(dir); err != nil || FileUser(info) != 0 {
		t.Errorf("%+v, %v", info, err)
	}
	testkit.OK(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	if err := m.PutFolder(filepath.Join(dir, "file"), "", 0o700); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
}
