package peer

import (
	"context"
	"net"
	"runtime"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// DialAs connects to a socket as another Unix user. Only root may do so. For peer
// authentication PostgreSQL asks the kernel which user connected.
func DialAs(ctx context.Context, network, addr string, as *syscall.Credential) (conn net.Conn, err error) {
	var g errgroup.Group
	g.Go(func() error {
		// Linux keeps the user per thread. The locked thread ends with the goroutine,
		// and no other goroutine runs on the thread.
		runtime.LockOSThread()
		for _, call := range []struct{ number, id uintptr }{
			{syscall.SYS_SETRESGID, uintptr(as.Gid)}, {syscall.SYS_SETRESUID, uintptr(as.Uid)},
		} {
			if _, _, errno := syscall.RawSyscall(call.number, call.id, call.id, call.id); errno != 0 {
				return errno
			}
		}
		var err error
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	err = g.Wait()
	return conn, err
}
