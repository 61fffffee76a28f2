package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// PowerLoss is a disk that can lose its power. The disk is a file with a file system.
type PowerLoss struct{ image string }

// MountImage mounts a new disk at dir for the length of the test. Without the right to
// mount, MountImage calls [Missing].
func MountImage(t testing.TB, dir string) PowerLoss {
	t.Helper()
	NeedsRoot(t)
	NeedsProgram(t, "mkfs.ext4", "mount", "umount")
	image := filepath.Join(t.TempDir(), "image")
	Write(t, image, "")
	OK(t, os.Truncate(image, 8<<20))
	if text, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Fatalf("make a file system: %v: %s", err, text)
	}
	mountLoop(t, image, dir)
	return PowerLoss{image}
}

// Survivors mounts a copy of the disk, as a loss of power at this moment would leave the
// disk, and returns the folder.
func (p PowerLoss) Survivors(t testing.TB) (dir string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "copy")
	Write(t, image, Read(t, p.image))
	dir = t.TempDir()
	mountLoop(t, image, dir)
	return dir
}

func mountLoop(t testing.TB, image, dir string) {
	t.Helper()
	if text, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		Missing(t, "mount an image: %v: %s", err, text)
	}
	t.Cleanup(func() {
		if text, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmount %s: %v: %s", dir, err, text)
		}
	})
}
