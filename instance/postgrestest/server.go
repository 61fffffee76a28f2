// Package postgrestest runs a real PostgreSQL server for tests.
package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
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
)

// Server is a running server. By TCP it asks for a password, by its socket for
// the system's word on who connects.
type Server struct {
	Port     int
	Sockets  string // its socket's folder
	Data     string // its data folder
	Bin      string // the folder of its programs
	Password string // of Owner and of the superuser "postgres"

	// As is the system's user that it runs as, nil where that is this one.
	As *syscall.Credential

	stop func()
}

// Owner owns the databases that NewDatabase makes. It may make others.
const Owner = "gotosocial"

// Start runs a server for the length of a test, on a free loopback port. Where
// none is installed the test is skipped, or fails if $CI is "true". Its programs are
// the newest of Debian's places, else of $PATH; $HOLDFAST_TEST_POSTGRES names the
// folder of others.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	bin := find(t)
	s := &Server{Bin: bin, Password: rand.Text(), Port: freePort(t), As: unprivileged(t)}
	// A socket's path has 107 bytes at most: t.TempDir is too long.
	dir, err := os.MkdirTemp("/tmp", "pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s.Sockets, s.Data = dir, filepath.Join(dir, "data")
	password := filepath.Join(dir, "password")
	s.write(t, password, []byte(s.Password))
	if s.As != nil {
		if err := os.Chown(dir, int(s.As.Uid), int(s.As.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	initdb := s.Command("initdb", "--pgdata="+s.Data, "--username=postgres", "--pwfile="+password, "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8", "--auth-local=peer", "--auth-host=scram-sha-256")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.run(t, settings)
	s.Exec(t, "postgres", fmt.Sprintf("CREATE ROLE %s LOGIN CREATEDB PASSWORD '%s'", Owner, s.Password))
	return s
}

// Command is a program of the server's version, run as its user.
func (s *Server) Command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.Bin, name), args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGHOST="+s.Sockets, "PGPORT="+strconv.Itoa(s.Port), "PGUSER=postgres")
	if s.As != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.As}
	}
	return cmd
}

func (s *Server) run(t testing.TB, settings []string) {
	t.Helper()
	for !s.start(t, settings) {
		s.Port = freePort(t)
	}
}

// start reports false where somebody took the port since it was found free.
func (s *Server) start(t testing.TB, settings []string) bool {
	t.Helper()
	args := []string{"-D", s.Data, "-k", s.Sockets, "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "-c", "fsync=off"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	// The shell ends the server when its input does: also if this process is
	// killed before it can clean up.
	server := s.Command("postgres", args...)
	server.Args = append([]string{"sh", "-c", `"$@" & server=$!; read _; kill -QUIT $server; wait`, "sh", server.Path}, args...)
	server.Path = "/bin/sh"
	log, err := os.Create(filepath.Join(s.Sockets, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	server.Stdout, server.Stderr = log, log
	input, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	stopped := false
	s.stop = func() {
		if !stopped {
			stopped = true
			input.Close()
			server.Wait()
		}
	}
	t.Cleanup(s.stop)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		// Who took the port may take a connection and say nothing.
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		conn, err := pgx.Connect(attempt, s.URL("postgres", "postgres"))
		cancel()
		if err == nil {
			conn.Close(ctx)
			return true
		}
		said, readErr := os.ReadFile(log.Name())
		if readErr != nil {
			t.Fatal(readErr)
		}
		if bytes.Contains(said, []byte("Address already in use")) {
			s.stop()
			return false
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("start PostgreSQL: %v\n%s", err, said)
		}
	}
}

// Stop ends the server at once, as a crash would.
func (s *Server) Stop() { s.stop() }

// URL is a connection string, by TCP.
func (s *Server) URL(user, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", user, s.Password, s.Port, url.PathEscape(database))
}

// Connect connects as a user, by TCP.
func (s *Server) Connect(t testing.TB, user, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(user, database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// Has reports whether there is a role of that name.
func (s *Server) Has(t testing.TB, role string) (has bool) {
	t.Helper()
	conn := s.Connect(t, "postgres", "postgres")
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&has); err != nil {
		t.Fatal(err)
	}
	return has
}

// Exec runs SQL in a database as the superuser.
func (s *Server) Exec(t testing.TB, database, sql string) {
	t.Helper()
	s.ExecAs(t, "postgres", database, sql)
}

// ExecAs runs SQL in a database as a user.
func (s *Server) ExecAs(t testing.TB, user, database, sql string) {
	t.Helper()
	conn := s.Connect(t, user, database)
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql[:min(len(sql), 200)], err)
	}
}

// NewDatabase makes an empty database of Owner's.
func (s *Server) NewDatabase(t testing.TB, name string) {
	t.Helper()
	s.Exec(t, "postgres", fmt.Sprintf("CREATE DATABASE %s OWNER %s LOCALE 'C.UTF-8' TEMPLATE template0", pgx.Identifier{name}.Sanitize(), Owner))
}

// Load runs a file of SQL by psql.
func (s *Server) Load(t testing.TB, user, database, file string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.Bin, "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file="+file, s.URL(user, database))
	cmd.Dir = filepath.Dir(file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql %s: %v\n%s", file, err, out)
	}
}

func find(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("HOLDFAST_TEST_POSTGRES"); bin != "" {
		return bin
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found))
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	const missing = "no PostgreSQL: apt-get install postgresql"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// unprivileged is the user postgres where this one is root, whom the server
// refuses.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Skip(err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
