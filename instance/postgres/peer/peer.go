// Package peer connects to a socket as another Unix user, and finds out which process is
// at the other end.
package peer

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listens reports whether the server at the other end of a socket also listens on
// a TCP port of this machine. Only root can see to which process a socket belongs.
func Listens(conn net.Conn, port uint16) bool {
	inodes, err := listeners(port)
	if err != nil || len(inodes) == 0 {
		return false
	}
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return false
	}
	// The kernel names the process that called listen: PostgreSQL's first process,
	// not the one that serves this connection.
	var peer *unix.Ucred
	controlErr := control.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if controlErr != nil || err != nil {
		return false
	}
	files, err := filepath.Glob("/proc/" + strconv.Itoa(int(peer.Pid)) + "/fd/*")
	if err != nil {
		return false
	}
	var own []string
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil {
			own = append(own, target)
		}
	}
	// All sockets must match: another server may use the port of another address.
	return !slices.ContainsFunc(inodes, func(inode string) bool { return !slices.Contains(own, "socket:["+inode+"]") })
}

// listeners returns the inodes of the sockets that listen on a TCP port of any
// address (proc(5), /proc/net/tcp).
func listeners(port uint16) (inodes []string, err error) {
	const address, state, inode, fields = 1, 3, 9, 10
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a machine without IPv6
		}
		if err != nil {
			return nil, err
		}
		for text := range strings.Lines(string(text)) {
			line := strings.Fields(text)
			if len(line) < fields || line[state] != "0A" {
				continue
			}
			_, hex, _ := strings.Cut(line[address], ":")
			if at, err := strconv.ParseUint(hex, 16, 16); err == nil && uint16(at) == port {
				inodes = append(inodes, line[inode])
			}
		}
	}
	return inodes, nil
}
