package instance

import (
	"context"
	"net"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// connectionSettings are the settings of a connection string, of both forms
// (PostgreSQL's documentation, 34.1.1).
func connectionSettings(text string) map[string]string {
	settings := map[string]string{}
	if strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") {
		u, err := url.Parse(text)
		if err != nil {
			return settings
		}
		for key, values := range u.Query() {
			settings[key] = values[0]
		}
		return settings
	}
	for _, m := range keyValue.FindAllStringSubmatch(text, -1) {
		value := m[2]
		if quoted := strings.HasPrefix(value, "'"); quoted {
			value = value[1 : len(value)-1]
		}
		settings[m[1]] = escaped.ReplaceAllString(value, "$1")
	}
	return settings
}

var (
	keyValue = regexp.MustCompile(`(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)`)
	escaped  = regexp.MustCompile(`\\(.)`)
)

// dialAs connects to a socket as another user of this machine, as root may:
// PostgreSQL's peer authentication asks the kernel who connected.
func dialAs(ctx context.Context, network, addr string, as *syscall.Credential) (conn net.Conn, err error) {
	var g errgroup.Group
	g.Go(func() error {
		// Linux has users by thread. This one is never unlocked: it ends with
		// the goroutine, and nobody else runs on it.
		runtime.LockOSThread()
		for _, call := range []struct{ number, id uintptr }{{syscall.SYS_SETRESGID, uintptr(as.Gid)}, {syscall.SYS_SETRESUID, uintptr(as.Uid)}} {
			if _, _, errno := syscall.RawSyscall(call.number, call.id, call.id, call.id); errno != 0 {
				return errno
			}
		}
		var err error
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return conn, g.Wait()
}
