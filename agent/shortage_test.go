package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/disk"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/remote"
)

func TestRestoreIsRefusedBeforeItFillsADisk(t *testing.T) {
	small := t.TempDir()
	testkit.MountSmallDisk(t, small, "size=1m,nr_inodes=10")
	for _, c := range []struct {
		need manifest.Total
		want string // "": no shortage
	}{
		{manifest.Total{Files: 3, Bytes: 1 << 10}, ""},
		{manifest.Total{Files: 3, Bytes: 2 << 20}, "has room for 1.0 MiB, and the restore needs 2.0 MiB"},
		{manifest.Total{Files: 30, Bytes: 1 << 10}, "has inodes for 9 more files, and the restore makes 30"},
	} {
		needs := map[manifest.Part]manifest.Total{manifest.Media: c.need}
		plan := RestorePlan{Short: shortage(small+"/restored", needs)}
		err := plan.Refusal()
		if c.want == "" && err == nil {
			continue
		}
		if !remedy.Is(err, remedy.Full) || c.want == "" || !strings.Contains(err.Error(), small+" "+c.want) {
			t.Errorf("%+v: %v", c.need, err)
		}
	}
}

// btrfs and ZFS may compress: nobody knows whether the restore fits.
func TestDiskThatMayCompressIsNoReasonToRefuse(t *testing.T) {
	plan := RestorePlan{Short: &Shortage{Free: disk.Room{Bytes: 1}, Need: manifest.Total{Bytes: 2}}}
	if err := plan.Refusal(); err != nil {
		t.Error(err)
	}
}

// A disk stores whole blocks. Small files need up to twice the room of their bytes.
func TestDiskThatSmallFilesMayFillIsWarnedOf(t *testing.T) {
	small := t.TempDir()
	testkit.MountSmallDisk(t, small, "size=1m")
	for need, want := range map[manifest.Total]bool{
		{Files: 200, Bytes: 800 << 10}: true,
		{Files: 20, Bytes: 800 << 10}:  false,
	} {
		plan := RestorePlan{Short: shortage(small, map[manifest.Part]manifest.Total{manifest.Media: need})}
		if plan.Refusal() != nil || (plan.Short != nil) != want {
			t.Errorf("%+v: warned of %q, want %t; refused %v", need, plan.Short, want, plan.Refusal())
		}
		if want && !strings.Contains(plan.Short.String(), "about 400 KiB more for the ends of files") {
			t.Error(plan.Short)
		}
	}
}

// The target may have the disk itself as its root.
func TestRoomIsThatOfTheTargetsOwnDisk(t *testing.T) {
	small := t.TempDir()
	testkit.MountSmallDisk(t, small, "size=1m")
	if s := shortage(small, map[manifest.Part]manifest.Total{manifest.Media: {Files: 1, Bytes: 2 << 20}}); s == nil {
		t.Error("the target is a mount point, and its small disk passed")
	}
}

func TestFullDiskIsNamed(t *testing.T) {
	small := t.TempDir()
	testkit.MountSmallDisk(t, small, "size=1m,nr_inodes=2")
	full := fmt.Errorf("write plan: %w", unix.ENOSPC)
	if err := explainFull(full, os.TempDir(), small+"/restored"); !strings.HasPrefix(err.Error(),
		"the disk of "+small+" is full: ") || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("full: %v", err)
	}
	testkit.Write(t, filepath.Join(small, "last"), "")
	if err := explainFull(full, os.TempDir(), small+"/restored"); !strings.Contains(err.Error(), "no free inodes") {
		t.Errorf("without inodes: %v", err)
	}
	other := fmt.Errorf("put: %w: %w", remote.ErrFull, unix.ENOSPC)
	if err := explainFull(other, small); err != other {
		t.Errorf("full storage: %v", err)
	}
}
