package testkit

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// CallAsNobody calls a function as the user nobody. The thread ends with the call.
func CallAsNobody(t testing.TB, call func() string) string {
	t.Helper()
	result := make(chan string)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, Nobody, Nobody, Nobody); errno != 0 {
			t.Error(errno)
		}
		result <- call()
	}()
	return <-result
}
