package machine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/rebuild/machine"
)

// local is a server that root reaches as its superuser, as on a server of one's
// own, and that writes everything into its log.
func local(t *testing.T) (s *postgrestest.Server, log func() string) {
	t.Helper()
	testkit.NeedsRoot(t)
	s = postgrestest.Start(t, "unix_socket_directories=/tmp", "logging_collector=on", "log_statement=all",
		"log_min_duration_statement=0")
	return s, func() string {
		files, err := filepath.Glob(filepath.Join(s.Data, "log", "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no log: %v", err)
		}
		var all strings.Builder
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		return all.String()
	}
}

// as gives a rebuild's configuration another user.
func as(t *testing.T, r *machine.Machine, s *postgrestest.Server, user, password string) {
	t.Helper()
	dir := postgrestest.WriteInstance(t, fmt.Sprintf("db-address: 127.0.0.1\ndb-port: %d\ndb-user: "+
		"%s\ndb-password: %q\n", s.Port,
		user, password))

	var err error
	if r.Config, err = gotosocial.Load(filepath.Join(dir, "config.yaml"), nil); err == nil {
		err = os.RemoveAll(r.Config.Storage())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestUserOfPostgresIsMadeAndItsPasswordStaysSecret(t *testing.T) {
	s, log := local(t)
	r := lost(t, s)
	for _, password := range []string{"it's \\secret $1", "gehe\u0301im\u00a0ﬁ"} {
		s.Exec(t, "postgres", "DROP DATABASE IF EXISTS gotosocial")
		s.Exec(t, "postgres", "DROP ROLE IF EXISTS fresh")
		as(t, r, s, "fresh", password)
		from := t.TempDir()
		if err := os.CopyFS(from, os.DirFS(r.Folder)); err != nil {
			t.Fatal(err)
		}
		again := *r
		again.Folder = from
		plan := fmt.Sprint(again.Inspect(t.Context(), nil, false))
		if !strings.Contains(plan, `no user "fresh": the restore makes the user`) {
			t.Errorf("the plan doesn't say it: %s", plan)
		}
		// The load logs in as that user, by its password.
		notes, err := again.PutDatabase(t.Context())
		if err != nil || !strings.Contains(strings.Join(notes, "\n"), "user fresh: made") {
			t.Fatalf("%v, %q", err, notes)
		}
		if said := log(); strings.Contains(said, "secret") || strings.Contains(said, "gehe") ||
			!strings.Contains(said, "SCRAM-SHA-256$") {
			t.Error("the server's log has the password, or no verifier")
		}
	}
	var rights bool
	err := s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
		"SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE "+
			"rolname = 'fresh'").Scan(&rights)
	if err != nil || rights {
		t.Errorf("it has rights: %v, %v", rights, err)
	}
}

func TestWrongPasswordIsSeenInThePlan(t *testing.T) {
	s, _ := local(t)
	r := lost(t, s)
	if f := refused(r.Inspect(t.Context(), nil, false)); f.Refused {
		t.Errorf("with the right one: %+v", f)
	}
	as(t, r, s, postgrestest.Owner, "hunter2")
	f := refused(r.Inspect(t.Context(), nil, false))
	if f.Subject != "database" || !strings.Contains(f.Detail, "password") || !strings.Contains(f.Fix, `\password`) ||
		strings.Contains(f.Detail+f.Fix, "hunter2") {
		t.Errorf("%+v", f)
	}
}

// Without a superuser nobody can tell a user that is missing from a password that
// is wrong.
func TestUserOfPostgresThatIsMissingIsNamed(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	// A person pastes the command into a shell, and a stranger may have written the snapshot.
	for user, word := range map[string]string{"fresh": "--pwprompt fresh", "a$(id)": "--pwprompt 'a$(id)'"} {
		as(t, r, s, user, "hunter2")
		if f := refused(r.Inspect(t.Context(), nil, false)); !strings.Contains(f.Fix, "createuser") ||
			!strings.Contains(f.Fix, word) || strings.Contains(f.Detail+f.Fix, "hunter2") {
			t.Errorf("%+v", f)
		}
	}
}
