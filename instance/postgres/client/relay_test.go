package client

import (
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// A program at the socket speaks to the database without a password.
func TestOnlyThisUserReachesTheSocketOfPgDump(t *testing.T) {
	conn, server := net.Pipe()
	defer server.Close()
	r, err := openRelay(&pgconn.HijackedConn{Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	info, err := os.Lstat(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeDir|0o700 || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		t.Errorf("the folder of the socket is %v", info.Mode())
	}
}
