package disk

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
)

// mountImage mounts a new file system at dir, and returns the file with its bytes. The file
// has what a loss of power would leave.
func mountImage(t *testing.T, dir string) (image string) {
	t.Helper()
	testkit.NeedsRoot(t)
	testkit.NeedsProgram(t, "mkfs.ext4", "mount", "umount")
	image = filepath.Join(t.TempDir(), "image")
	testkit.OK(t, os.WriteFile(image, nil, 0o600))
	testkit.OK(t, os.Truncate(image, 8<<20))
	if text, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	mountLoop(t, image, dir)
	return image
}

func mountLoop(t *testing.T, image, dir string) {
	t.Helper()
	if text, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		testkit.Missing(t, "mount an image: %v: %s", err, text)
	}
	t.Cleanup(func() {
		if text, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmount %s: %v: %s", dir, err, text)
		}
	})
}

// A resumed restore takes a file that left the work folder for a file in its place.
func TestCopiedFileSurvivesALossOfPower(t *testing.T) {
	from, disk, after := filepath.Join(t.TempDir(), "key.pem"), t.TempDir(), t.TempDir()
	image := mountImage(t, disk)
	testkit.Write(t, from, "secret")
	m := &Mover{Run: "RUN"}
	testkit.OK(t, m.Move(from, filepath.Join(disk, "etc/certs/key.pem"), ""))
	copied := filepath.Join(t.TempDir(), "copy")
	testkit.Write(t, copied, testkit.Read(t, image))
	mountLoop(t, copied, after)
	if got, err := os.ReadFile(filepath.Join(after, "etc/certs/key.pem")); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
}
