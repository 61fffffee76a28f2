package disk

import (
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
)

// withoutNoReplace calls act on a thread for which renames with a flag fail, as on NFS. The
// thread ends with the goroutine.
func withoutNoReplace(t *testing.T, act func() error) {
	t.Helper()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: unix.SYS_RENAMEAT2},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16 + 4*8}, // the flags
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EINVAL)},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	var g errgroup.Group
	g.Go(func() error {
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
		if err != nil {
			return err
		}
		return act()
	})
	testkit.OK(t, g.Wait())
}

func TestRestoreNeedsNoRenameWithAFlag(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "new/folder/file")
	testkit.Write(t, from, "text")
	withoutNoReplace(t, func() error { return (&Mover{Run: "RUN"}).Move(from, to, "") })
	if got := string(testkit.Read(t, to)); got != "text" {
		t.Errorf("%q", got)
	}
	if names := testkit.Names(t, dir); !slices.Equal(names, []string{"new"}) {
		t.Errorf("%q", names)
	}
}
