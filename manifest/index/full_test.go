package index

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/internal/testkit"
)

// fullDisk is a disk of 1 MiB with room bytes left.
func fullDisk(t *testing.T, room int) string {
	t.Helper()
	dir := t.TempDir()
	testkit.MountSmallDisk(t, dir, "size=1m")
	testkit.OK(t, os.Mkdir(filepath.Join(dir, "trail"), 0o700))
	testkit.OK(t, os.WriteFile(filepath.Join(dir, "others"), make([]byte, 1<<20-room), 0o600))
	return dir
}

// SQLite reports a full disk with codes of its own.
func TestFullDiskIsENOSPC(t *testing.T) {
	for room := 8 << 10; room <= 64<<10; room += 8 << 10 {
		dir := fullDisk(t, room)
		if x, _, err := Open(dir); err == nil {
			x.Close()
			t.Errorf("an index was made in %d bytes", room)
		} else if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d bytes: %v", room, err)
		}
	}
}
