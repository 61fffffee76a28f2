// Package postgrestest runs a real PostgreSQL server for tests.
package postgrestest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/testkit"
)

// Server is a running server. Connections by TCP need a password. For
// connections by the socket the operating system names the user.
type Server struct {
	Port     int
	Sockets  string // the folder of the server's socket
	Data     string // the server's data folder
	Bin      string // the folder of the server's programs
	Password string // of Owner and of the superuser "postgres"

	// As is the system user that runs the server, nil for the user of this
	// process.
	As *syscall.Credential

	stop func()
}

// Owner is the role that owns the databases of NewDatabase. Owner may create
// databases.
const Owner = "gotosocial"

// Start runs a server for the length of a test, on a free loopback port. The
// settings have the form "NAME=VALUE". The server does not survive a crash of
// the machine: it never syncs to disk.
//
// The programs are the newest that Debian installed, or else those on $PATH.
// $HOLDFAST_TEST_POSTGRES names another folder of programs. Without any program
// Start calls [testkit.Missing].
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{Bin: programs(t), As: systemUser(t), Port: testkit.FreePort(t)}
	cluster := s.initialCluster(t)
	s.Password = cluster.password
	s.Sockets = s.newFolder(t)
	t.Cleanup(func() { os.RemoveAll(s.Sockets) })
	s.Data = filepath.Join(s.Sockets, "data")
	cluster.copyTo(t, s.Data)
	s.run(t, settings)
	s.Exec(t, "postgres", fmt.Sprintf("CREATE ROLE %s LOGIN CREATEDB PASSWORD '%s'", Owner, s.Password))
	return s
}

// Command prepares a run of one of the server's programs as the server's user.
func (s *Server) Command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.Bin, name), args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(),
		"LC_ALL=C", "PGHOST="+s.Sockets, "PGPORT="+strconv.Itoa(s.Port), "PGUSER=postgres")
	if s.As != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.As}
	}
	return cmd
}

// run starts the server, on another port if a process took s.Port meanwhile.
func (s *Server) run(t testing.TB, settings []string) {
	t.Helper()
	for !s.start(t, settings) {
		s.Port = testkit.FreePort(t)
	}
}

// fast are settings for short tests. Without statistics PostgreSQL takes small
// queries for long ones, and compiles them for hundreds of milliseconds.
var fast = []string{"fsync=off", "full_page_writes=off", "synchronous_commit=off", "jit=off"}

// start reports false if another process has the port.
func (s *Server) start(t testing.TB, settings []string) bool {
	t.Helper()
	log, err := os.Create(filepath.Join(s.Sockets, "log"))
	testkit.OK(t, err)
	defer log.Close()
	args := []string{"-D", s.Data, "-k", s.Sockets, "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port)}
	for _, setting := range slices.Concat(fast, settings) {
		args = append(args, "-c", setting)
	}
	server := s.Command("postgres", args...)
	server.Stdout, server.Stderr = log, log
	s.stop = testkit.StartDaemon(t, server, "QUIT", "")
	t.Cleanup(s.stop)
	return s.await(t, log.Name())
}

// await waits until the server answers, and reports false if another process
// has the port.
func (s *Server) await(t testing.TB, log string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		// The other process may accept a connection and never answer.
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		conn, err := pgx.Connect(attempt, s.URL("postgres", "postgres"))
		cancel()
		if err == nil {
			conn.Close(ctx)
			return true
		}
		messages := testkit.Read(t, log)
		if bytes.Contains(messages, []byte("Address already in use")) {
			s.stop()
			return false
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("start PostgreSQL: %v\n%s", err, messages)
		}
	}
}

// Stop ends the server at once, as a crash would.
func (s *Server) Stop() { s.stop() }

// programs returns the folder of the server's programs.
func programs(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("HOLDFAST_TEST_POSTGRES"); bin != "" {
		return bin
	}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	testkit.OK(t, err)
	if len(installed) > 0 {
		return filepath.Dir(slices.Max(installed))
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		testkit.Missing(t, "no PostgreSQL: apt-get install postgresql")
	}
	return filepath.Dir(path)
}

// systemUser returns the user postgres if this process belongs to root:
// PostgreSQL refuses to run as root.
func systemUser(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		testkit.Missing(t, "no user for PostgreSQL: %v", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	testkit.OK(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	testkit.OK(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
