package disk

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ShareDevice reports whether one broken device takes two paths: the paths lie on one file
// system, on partitions of one disk, or on volumes over one disk.
func ShareDevice(a, b string) bool {
	if SameDisk(a, b) {
		return true
	}
	x, okX := deviceOf(a)
	y, okY := deviceOf(b)
	return okX && okY && shareDevice("/sys/dev/block", x, y)
}

func shareDevice(blocks string, a, b uint64) bool {
	of := func(number uint64) string {
		return wholeDevice(filepath.Join(blocks, fmt.Sprintf("%d:%d", unix.Major(number), unix.Minor(number))))
	}
	x := of(a)
	return x != "" && x == of(b)
}

// wholeDevice returns the folder of a block device in sysfs: of the disk around a partition, and
// of the disk below an encrypted or logical volume. A volume over several disks counts as a
// device of its own. The result is "" for a file system without a block device.
func wholeDevice(block string) string {
	real, err := filepath.EvalSymlinks(block)
	if err != nil {
		return ""
	}
	if below, err := os.ReadDir(filepath.Join(real, "slaves")); err == nil && len(below) == 1 {
		return wholeDevice(filepath.Join(real, "slaves", below[0].Name()))
	}
	if _, err := os.Stat(filepath.Join(real, "partition")); err == nil {
		return filepath.Dir(real)
	}
	return real
}
