package instance_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/instance"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
)

func TestPostgresIsRestoredByPsqlAlone(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	v := instancetest.Begin(t, instancetest.Open(t, dir, instance.Options{}))
	got := facts(t, v)
	want := manifest.Facts{Engine: "postgres", Server: got.Server, Collation: "C.UTF-8", User: fileUser(t, dir),
		AccountDomain: "example.org", Migration: "20250715095446", Accounts: 2, Statuses: 2}
	if got != want || got.Server == "" {
		t.Errorf("facts %+v, want %+v", got, want)
	}
	out := t.TempDir()
	for name, text := range postgrestest.ReadAll(t, v) {
		testkit.Write(t, filepath.Join(out, name), text)
	}
	s.NewDatabase(t, "by_hand")
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(out, "restore.sql"))
	if got, want := s.Dump(t, "by_hand"), s.Dump(t, "gotosocial"); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
	if got := slices.Collect(postgrestest.Media(t, v)); !slices.Equal(got, testkit.LocalMedia) {
		t.Errorf("media %q", got)
	}
}

// fileUser returns the user and group of a folder, as facts have them.
func fileUser(t testing.TB, dir string) string {
	t.Helper()
	out, err := exec.Command("stat", "--format=%U:%G", filepath.Join(dir, "storage")).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestPostgresPrintsTheSameEveryNight(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	i := instancetest.Open(t, dir, instance.Options{})
	read := func() map[string]string {
		v := instancetest.Begin(t, i)
		defer v.Close()
		return postgrestest.ReadAll(t, v)
	}
	first := read()
	again := func(after string) {
		for name, text := range read() {
			if text != first[name] {
				t.Errorf("after %s, %s is\n%s\nwas\n%s", after, name, text, first[name])
			}
		}
	}
	again("nothing")
	s.Exec(t, "gotosocial", "VACUUM FULL")
	again("VACUUM FULL")
	// Where the rows lie does not matter, for those that have a key.
	s.Exec(t, "gotosocial", "UPDATE statuses SET local = NOT local; UPDATE statuses SET local = NOT local")
	again("updates")
	s.Exec(t, "gotosocial", "ALTER DATABASE gotosocial SET datestyle = 'German'; ALTER DATABASE gotosocial SET "+
		"timezone = 'Asia/Tokyo'; ALTER DATABASE gotosocial SET bytea_output = 'escape'")
	again("other settings")
}

func TestPostgresViewIsOneMoment(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	i := instancetest.Open(t, dir, instance.Options{})
	v := instancetest.Begin(t, i)
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "DELETE FROM media_attachments; DELETE FROM no_key; INSERT INTO "+
		"emojis VALUES ('01G', NULL, NULL, 'x', 'y', true)")
	all := postgrestest.ReadAll(t, v)
	if n := strings.Count(all["public.no_key.copy"], "\n"); n != 1000 {
		t.Errorf("%d rows, want those of the moment", n)
	}
	if got := slices.Collect(postgrestest.Media(t, v)); !slices.Equal(got, testkit.LocalMedia) {
		t.Errorf("media %q", got)
	}
	named, err := i.Named(t.Context(), append(slices.Clone(testkit.LocalMedia), "y"))
	if err != nil || len(named) != 3 || !named["y"] || !named[testkit.LocalMedia[0]] {
		t.Errorf("named now: %v, %v", named, err)
	}
}

func TestPostgresProblemsNameTheFix(t *testing.T) {
	s := postgrestest.Start(t)
	good := s.NewInstance(t, "gotosocial")
	s.NewDatabase(t, "empty")
	s.Exec(t, "postgres", fmt.Sprintf("CREATE ROLE reader LOGIN PASSWORD '%s'", s.Password))
	text, err := os.ReadFile(filepath.Join(good, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, settings, _ := strings.Cut(string(text), "storage-local-base-path: storage\n")
	for name, c := range map[string]struct{ old, new, what, fix string }{
		"wrong password":   {s.Password, "wrong-password", `refused user "gotosocial"`, "db-password"},
		"no such database": {"db-database: gotosocial", "db-database: nowhere", "does not exist", "db-database"},
		"not GoToSocial's": {"db-database: gotosocial", "db-database: empty", "is not GoToSocial's", "db-database"},
		"nobody there":     {"127.0.0.1", "127.0.0.2", "can't be reached", "make sure that PostgreSQL runs"},
		"no permission":    {"db-user: gotosocial", "db-user: reader", "permission denied", "GRANT pg_read_all_data"},
		"TLS without TLS":  {"db-port", "db-tls-mode: require\ndb-port", "can't be reached", "db-tls-mode"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := instancetest.Open(t, postgrestest.WriteInstance(t, strings.Replace(settings, c.old, c.new, 1)),
				instance.Options{}).Begin(t.Context())
			var p *remedy.Error
			if !errors.As(err, &p) || !strings.Contains(err.Error(), c.what) || !strings.Contains(p.Fix, c.fix) {
				t.Errorf("%v\nfix: %+v", err, p)
			}
			if err != nil && (strings.Contains(err.Error(), s.Password) || strings.Contains(err.Error(),
				"wrong-password")) {
				t.Errorf("the password shows: %v", err)
			}
		})
	}
}

func TestSocketSeesTheConnectingUser(t *testing.T) {
	testkit.NeedsRoot(t)
	s := postgrestest.Start(t)
	s.NewInstance(t, "gotosocial")
	// Root connects as the system's user of that name, and pg_dump too.
	dir := postgrestest.WriteInstance(t, fmt.Sprintf("db-address: %s\ndb-port: %d\ndb-user: "+
		"postgres\ndb-database: gotosocial\n",
		s.Sockets, s.Port))

	if all := postgrestest.ReadAll(t, instancetest.Begin(t, instancetest.Open(t, dir,
		instance.Options{}))); !strings.Contains(all["pre-data.sql"],
		"CREATE TABLE public.accounts") {
		t.Errorf("%s", all["pre-data.sql"])
	}
	if os.Geteuid() != 0 {
		t.Error("this process is not root any more")
	}
}

func TestConnectionStringReplacesAllOtherSettings(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "CREATE SCHEMA elsewhere; SET search_path = "+
		"elsewhere;"+postgrestest.Schema)
	dir := postgrestest.WriteInstance(t, fmt.Sprintf("db-address: nowhere.invalid\ndb-user: "+
		"nobody\ndb-postgres-connection-string: "+
		"%q\n", s.URL(postgrestest.Owner, "gotosocial")+"&search_path=elsewhere"))

	v := instancetest.Begin(t, instancetest.Open(t, dir, instance.Options{}))
	if got := facts(t, v).Accounts; got != 2 {
		t.Errorf("%d accounts", got)
	}
	out := t.TempDir()
	for name, text := range postgrestest.ReadAll(t, v) {
		testkit.Write(t, filepath.Join(out, name), text)
	}
	s.NewDatabase(t, "by_hand")
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(out, "restore.sql"))
	if got, want := s.Dump(t, "by_hand"), s.Dump(t, "gotosocial"); got != want {
		t.Error("restored differs")
	}
	if _, err := pgx.ParseConfig("x"); err == nil {
		t.Error("pgx takes everything")
	}
}
