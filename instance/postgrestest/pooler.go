package postgrestest

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/testkit"
)

// StartPooler runs PgBouncer in front of the server for the length of the test, in the
// pool mode "session", "transaction" or "statement", and returns its port. Passwords are
// not checked.
func (s *Server) StartPooler(t testing.TB, mode string) (port int) {
	t.Helper()
	testkit.NeedsProgram(t, "pgbouncer")
	program, err := exec.LookPath("pgbouncer")
	testkit.OK(t, err)
	dir := s.newFolder(t)
	port = testkit.FreePort(t)
	users := filepath.Join(dir, "users")
	s.write(t, users, fmt.Appendf(nil, "%q %q\n%q %q\n", Owner, s.Password, "postgres", s.Password))
	settings := filepath.Join(dir, "pgbouncer.ini")
	s.write(t, settings, fmt.Appendf(nil, "[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\n"+
		"listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = trust\nauth_file = %s\n"+
		"pool_mode = %s\ndefault_pool_size = 6\nlogfile = %s\n", s.Port, port, users, mode, filepath.Join(dir, "log")))
	cmd := exec.Command(program, "-q", settings)
	cmd.Dir = "/"
	if s.As != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.As}
	}
	t.Cleanup(testkit.StartDaemon(t, cmd, "INT", dir))
	through := *s
	through.Port = port
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, through.URL("postgres", "postgres"))
		if err == nil {
			conn.Close(ctx)
			return port
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("start PgBouncer: %v", err)
		}
	}
}

// Through returns the settings of [Server.Settings], but through the port of a pooler.
func (s *Server) Through(port int, database string) string {
	through := *s
	through.Port = port
	return through.Settings(database)
}

// URLThrough is [Server.URL] through the port of a pooler.
func (s *Server) URLThrough(port int, user, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable&default_query_exec_mode=simple_protocol",
		user, s.Password, port, url.PathEscape(database))
}
