package index

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// fullDisk is a disk of 1 MiB with room bytes left.
func fullDisk(t *testing.T, room int) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("mount a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	if err := os.Mkdir(filepath.Join(dir, "trail"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "others"), make([]byte, 1<<20-room), 0o600); err != nil {
		t.Fatal(err)
	}
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
