package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// Two clusters on one machine may have sockets of the same port. The superuser of
// the wrong one would make and rename databases there.
func TestSuperuserOfAnotherServerIsNeverUsed(t *testing.T) {
	testkit.NeedsRoot(t)
	s, other := postgrestest.Start(t), postgrestest.Start(t)
	s.Exec(t, "postgres", "ALTER ROLE gotosocial NOCREATEDB")
	wrong := t.TempDir()
	for dir := wrong; dir != "/tmp"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the user postgres must get there
			t.Fatal(err)
		}
	}
	if err := os.Symlink(fmt.Sprintf("%s/.s.PGSQL.%d", other.Sockets, other.Port),
		fmt.Sprintf("%s/.s.PGSQL.%d", wrong, s.Port)); err != nil {
		t.Fatal(err)
	}
	places := socketFolders
	defer func() { socketFolders = places }()
	for _, c := range []struct {
		password string
		places   []string
		says     string // "" where the superuser of s is found
		fix      string
	}{
		{s.Password, []string{wrong, s.Sockets}, "", ""},
		{s.Password, []string{wrong}, "has no right to create a database", "CREATEDB"},
		{"wrong", []string{wrong, s.Sockets}, "", ""},
		{"wrong", []string{wrong}, "refused user", ""},
	} {
		socketFolders = c.places
		config, err := gotosocial.Load("", []string{"GTS_DB_POSTGRES_CONNECTION_STRING=" +
			strings.Replace(s.URL(postgrestest.Owner, "new"), s.Password, c.password, 1)})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Open(config)
		if err != nil {
			t.Fatal(err)
		}
		admin, err := p.admin(t.Context())
		if c.says != "" {
			var problem *remedy.Error
			if !errors.As(err, &problem) || !strings.Contains(err.Error(), c.says) ||
				!strings.Contains(problem.Fix, c.fix) {
				t.Errorf("%v: %v, %+v", c.places, err, problem)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var port int
		if err := admin.QueryRow(t.Context(), "SELECT current_setting('port')::int WHERE current_user = "+
			"'postgres'").Scan(&port); err != nil || port != s.Port {
			t.Errorf("port %d, %v", port, err)
		}
		admin.Close(t.Context())
	}
}
