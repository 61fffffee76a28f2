package disk

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
)

// The folders are those of sysfs. Volume 253:0 lies on a partition, and volume 9:0 on two disks.
func TestPartitionsAndVolumesOfOneDiskShareADevice(t *testing.T) {
	sys := t.TempDir()
	for path, target := range map[string]string{
		"block/8:1": "../devices/sda/sda1", "block/8:2": "../devices/sda/sda2", "block/8:17": "../devices/sdb/sdb1",
		"block/8:32": "../devices/sdc", "block/253:0": "../devices/dm-0", "block/9:0": "../devices/md0",
		"devices/dm-0/slaves/sda2": "../../sda/sda2",
		"devices/md0/slaves/sda1":  "../../sda/sda1", "devices/md0/slaves/sdb1": "../../sdb/sdb1",
	} {
		testkit.OK(t, os.MkdirAll(filepath.Dir(filepath.Join(sys, path)), 0o755))
		testkit.OK(t, os.Symlink(target, filepath.Join(sys, path)))
	}
	for _, partition := range []string{"sda/sda1", "sda/sda2", "sdb/sdb1"} {
		testkit.Write(t, filepath.Join(sys, "devices", partition, "partition"), "1\n")
	}
	testkit.OK(t, os.MkdirAll(filepath.Join(sys, "devices/sdc"), 0o755))
	for _, c := range []struct {
		a, b uint64
		want bool
	}{
		{unix.Mkdev(8, 1), unix.Mkdev(8, 2), true},
		{unix.Mkdev(8, 1), unix.Mkdev(253, 0), true},
		{unix.Mkdev(8, 1), unix.Mkdev(8, 17), false},
		{unix.Mkdev(8, 1), unix.Mkdev(8, 32), false},
		{unix.Mkdev(8, 1), unix.Mkdev(9, 0), false},
		{unix.Mkdev(0, 5), unix.Mkdev(0, 6), false},
	} {
		if got := shareDevice(filepath.Join(sys, "block"), c.a, c.b); got != c.want {
			t.Errorf("%d:%d and %d:%d share a device: %t", unix.Major(c.a), unix.Minor(c.a), unix.Major(c.b),
				unix.Minor(c.b), got)
		}
	}
}
