package postgrestest

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"holdfast/internal/testkit"
)

// cluster is the folder that initdb fills. Each server starts on a copy of it: a
// copy takes a tenth of the time.
type cluster struct {
	dir      string // removed when this process ends
	password string // of the superuser "postgres"
}

var (
	initdbOnce sync.Once
	initial    *cluster // nil where initdb failed
)

// initialCluster returns the cluster of this process.
func (s *Server) initialCluster(t testing.TB) *cluster {
	t.Helper()
	initdbOnce.Do(func() { initial = s.initdb(t) })
	if initial == nil {
		t.Fatal("initdb failed in an earlier test")
	}
	return initial
}

// initdb makes a cluster.
func (s *Server) initdb(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{dir: s.newFolder(t), password: rand.Text()}
	// A process ends later than the last test, and removes the folder.
	testkit.StartDaemon(t, exec.Command("sleep", "infinity"), "KILL", c.dir)
	password := filepath.Join(c.dir, "password")
	s.write(t, password, []byte(c.password))
	initdb := s.Command("initdb", "--pgdata="+c.data(), "--username=postgres", "--pwfile="+password, "--no-sync",
		"--locale=C.UTF-8", "--encoding=UTF8", "--auth-local=peer", "--auth-host=scram-sha-256")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	return c
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// copyTo copies the cluster to a folder, with users and modes.
func (c *cluster) copyTo(t testing.TB, data string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", c.data(), data).CombinedOutput(); err != nil {
		t.Fatalf("copy the cluster: %v\n%s", err, out)
	}
}

// newFolder makes a folder of the server's user. t.TempDir is too long: the
// path of a socket has at most 107 bytes.
func (s *Server) newFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pg-")
	testkit.OK(t, err)
	testkit.OK(t, os.Chmod(dir, 0o755))
	s.give(t, dir)
	return dir
}

// give makes a file one of the server's user.
func (s *Server) give(t testing.TB, path string) {
	t.Helper()
	if s.As != nil {
		testkit.OK(t, os.Chown(path, int(s.As.Uid), int(s.As.Gid)))
	}
}

// write writes a file that only the server's user can read.
func (s *Server) write(t testing.TB, path string, text []byte) {
	t.Helper()
	testkit.OK(t, os.WriteFile(path, text, 0o600))
	s.give(t, path)
}
