package postgrestest

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/testkit"
)

// URL returns a connection string for TCP.
func (s *Server) URL(user, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable",
		user, s.Password, s.Port, url.PathEscape(database))
}

// Connect connects by TCP for the length of the test.
func (s *Server) Connect(t testing.TB, user, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(user, database))
	testkit.OK(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// Has reports whether the server has a role.
func (s *Server) Has(t testing.TB, role string) (has bool) {
	t.Helper()
	conn := s.Connect(t, "postgres", "postgres")
	defer conn.Close(t.Context())
	query := "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
	testkit.OK(t, conn.QueryRow(t.Context(), query, role).Scan(&has))
	return has
}

// Exec runs statements in a database as the superuser.
func (s *Server) Exec(t testing.TB, database, sql string) {
	t.Helper()
	s.ExecAs(t, "postgres", database, sql)
}

// ExecAs runs statements in a database as a role.
func (s *Server) ExecAs(t testing.TB, user, database, sql string) {
	t.Helper()
	conn := s.Connect(t, user, database)
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql[:min(len(sql), 200)], err)
	}
}

// NewDatabase creates an empty database of the role Owner.
func (s *Server) NewDatabase(t testing.TB, name string) {
	t.Helper()
	s.Exec(t, "postgres", fmt.Sprintf("CREATE DATABASE %s OWNER %s LOCALE 'C.UTF-8' TEMPLATE template0",
		pgx.Identifier{name}.Sanitize(), Owner))
}

// Load runs a file of SQL with psql.
func (s *Server) Load(t testing.TB, user, database, file string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.Bin, "psql"),
		"--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file="+file, s.URL(user, database))
	cmd.Dir = filepath.Dir(file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql %s: %v\n%s", file, err, out)
	}
}
