package postgres

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
)

// Whoever reaches the socket speaks to the database without a password.
func TestSocketForPgDumpIsThisUsersAlone(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("host: social.example.org\ndb-type: postgres\ndb-address: 127.0.0.1\ndb-port: %d\ndb-user: %s\ndb-password: %s\ndb-database: gotosocial\n", s.Port, postgrestest.Owner, s.Password)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := gotosocial.Load(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.relay(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	info, err := os.Lstat(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeDir|0o700 || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		t.Errorf("its folder is %v", info.Mode())
	}
}
