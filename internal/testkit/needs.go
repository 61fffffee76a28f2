package testkit

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// Missing ends a test on a machine that lacks a program, a server or a right. With
// $CI set to "true" the test fails, otherwise the test is skipped.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// NeedsProgram calls [Missing] unless all the programs are installed.
func NeedsProgram(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			Missing(t, "%s is not installed: apt install %s", name, name)
		}
	}
}

// NeedsRoot calls [Missing] unless root runs the test.
func NeedsRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "needs root")
	}
}

// MountSmallDisk mounts a file system in memory at dir for the length of the
// test. The options are options of tmpfs, for example "size=1m". Without the right
// to mount, MountSmallDisk calls [Missing].
func MountSmallDisk(t testing.TB, dir, options string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		Missing(t, "mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}
