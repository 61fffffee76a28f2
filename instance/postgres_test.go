package instance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/manifest"
	"holdfast/rebuild"
	"holdfast/remedy"
	"holdfast/vault"
)

// pgInstance is an instance on PostgreSQL in a folder of its own.
func pgInstance(t testing.TB, s *postgrestest.Server, database string) (dir string) {
	t.Helper()
	s.NewDatabase(t, database)
	s.ExecAs(t, postgrestest.Owner, database, postgrestest.Schema)
	return pgConfig(t, fmt.Sprintf("db-address: 127.0.0.1\ndb-port: %d\ndb-user: %s\ndb-password: %s\ndb-database: "+
		"%s\n", s.Port, postgrestest.Owner, s.Password, database))
}

// pgConfig is a folder with a configuration and the local media.
func pgConfig(t testing.TB, settings string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, dir, "config.yaml", "host: social.example.org\naccount-domain: example.org\ndb-type: "+
		"postgres\nstorage-local-base-path: storage\n"+settings)
	for _, key := range localMedia {
		write(t, dir, "storage/"+key, "bytes of "+key)
	}
	return dir
}

// readAll reads every file of a view's database.
func readAll(t testing.TB, v vault.View) map[string]string {
	t.Helper()
	all := map[string]string{}
	last := ""
	for _, f := range v.Database() {
		if f.Path <= last || f.Part != manifest.Database || f.PageSize != 0 || !manifest.ValidPath(f.Path) ||
			strings.Contains(f.Path, "/") {
			t.Errorf("%+v after %q", f, last)
		}
		last = f.Path
		text, err := readFile(t.Context(), v, f.Path)
		if err != nil {
			t.Fatalf("%s: %v", f.Path, err)
		}
		all[f.Path] = text
	}
	return all
}

func readFile(ctx context.Context, v vault.View, path string) (string, error) {
	r, err := v.OpenDatabase(ctx, path)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), errors.Join(err, r.Close())
}

// dump is a database as pg_dump tells it, for comparisons.
func dump(t testing.TB, s *postgrestest.Server, database string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.Bin, "pg_dump"), "--restrict-key=x", "--no-owner", "--no-privileges",
		s.URL("postgres", database))
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, &problem)
	}
	return string(out)
}

func TestPostgresIsRestoredByPsqlAlone(t *testing.T) {
	s := postgrestest.Start(t)
	dir := pgInstance(t, s, "gotosocial")
	v := begin(t, openInstance(t, dir, instance.Options{}))
	want := manifest.Facts{Engine: "postgres", Server: v.Facts().Server, User: fileUser(t, dir),
		AccountDomain: "example.org", Migration: "20250715095446", Accounts: 2, Statuses: 2}
	if got := v.Facts(); got != want || got.Server == "" {
		t.Errorf("facts %+v, want %+v", got, want)
	}
	out := t.TempDir()
	for name, text := range readAll(t, v) {
		write(t, out, name, text)
	}
	s.NewDatabase(t, "by_hand")
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(out, "restore.sql"))
	if got, want := dump(t, s, "by_hand"), dump(t, s, "gotosocial"); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
	if got := slices.Collect(mediaOf(t, v)); !slices.Equal(got, localMedia) {
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

func mediaOf(t testing.TB, v vault.View) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key, err := range v.Media(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if !yield(key) {
				return
			}
		}
	}
}

func TestPostgresPrintsTheSameEveryNight(t *testing.T) {
	s := postgrestest.Start(t)
	dir := pgInstance(t, s, "gotosocial")
	i := openInstance(t, dir, instance.Options{})
	read := func() map[string]string {
		v := begin(t, i)
		defer v.Close()
		return readAll(t, v)
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
	dir := pgInstance(t, s, "gotosocial")
	i := openInstance(t, dir, instance.Options{})
	v := begin(t, i)
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "DELETE FROM media_attachments; DELETE FROM no_key; INSERT INTO "+
		"emojis VALUES ('01G', NULL, NULL, 'x', 'y', true)")
	all := readAll(t, v)
	if n := strings.Count(all["public.no_key.copy"], "\n"); n != 1000 {
		t.Errorf("%d rows, want those of the moment", n)
	}
	if got := slices.Collect(mediaOf(t, v)); !slices.Equal(got, localMedia) {
		t.Errorf("media %q", got)
	}
	named, err := i.Named(t.Context(), append(slices.Clone(localMedia), "y"))
	if err != nil || len(named) != 3 || !named["y"] || !named[localMedia[0]] {
		t.Errorf("named now: %v, %v", named, err)
	}
}

func TestPostgresProblemsNameTheFix(t *testing.T) {
	s := postgrestest.Start(t)
	good := pgInstance(t, s, "gotosocial")
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
			_, err := openInstance(t, pgConfig(t, strings.Replace(settings, c.old, c.new, 1)),
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
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s := postgrestest.Start(t)
	pgInstance(t, s, "gotosocial")
	// Root connects as the system's user of that name, and pg_dump too.
	dir := pgConfig(t, fmt.Sprintf("db-address: %s\ndb-port: %d\ndb-user: postgres\ndb-database: gotosocial\n",
		s.Sockets, s.Port))
	if all := readAll(t, begin(t, openInstance(t, dir, instance.Options{}))); !strings.Contains(all["pre-data.sql"],
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
	dir := pgConfig(t, fmt.Sprintf("db-address: nowhere.invalid\ndb-user: nobody\ndb-postgres-connection-string: "+
		"%q\n", s.URL(postgrestest.Owner, "gotosocial")+"&search_path=elsewhere"))
	v := begin(t, openInstance(t, dir, instance.Options{}))
	if got := v.Facts().Accounts; got != 2 {
		t.Errorf("%d accounts", got)
	}
	out := t.TempDir()
	for name, text := range readAll(t, v) {
		write(t, out, name, text)
	}
	s.NewDatabase(t, "by_hand")
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(out, "restore.sql"))
	if got, want := dump(t, s, "by_hand"), dump(t, s, "gotosocial"); got != want {
		t.Error("restored differs")
	}
	if _, err := pgx.ParseConfig("x"); err == nil {
		t.Error("pgx takes everything")
	}
}

// restoredFolder is a folder as a restore makes it of a view.
func restoredFolder(t testing.TB, v vault.View) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range readAll(t, v) {
		write(t, dir, "database/"+name, text)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func sortedLines(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestPostgresIsLoadedWhole(t *testing.T) {
	s := postgrestest.Start(t)
	dir := pgInstance(t, s, "gotosocial")
	i := openInstance(t, dir, instance.Options{})
	want := sortedLines(dump(t, s, "gotosocial"))
	from := restoredFolder(t, begin(t, i))
	again := t.TempDir()
	if err := os.CopyFS(again, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	rebuild := func(from, snapshot string, replace bool) error {
		r := &rebuild.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
			RunID: snapshot, Replace: replace, Verbatim: true}
		_, err := r.PutDatabase(t.Context())
		return err
	}
	// One that is there is never dropped.
	var p *remedy.Error
	if err := rebuild(from, "aaaa", false); !errors.As(err, &p) || !strings.Contains(err.Error(), "exists") ||
		!strings.Contains(p.Fix, "--replace") {
		t.Errorf("%v", err)
	}
	if err := rebuild(from, "aaaa", true); err != nil {
		t.Fatal(err)
	}
	if got := sortedLines(dump(t, s, "gotosocial")); got != want {
		t.Errorf("loaded\n%s\nwant\n%s", got, want)
	}
	databases := func() (n int) {
		if err := s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
			"SELECT count(*) FROM pg_database WHERE datname LIKE 'gotosocial%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := databases(); n != 2 {
		t.Errorf("%d databases, want the loaded one and the one before", n)
	}
	// Again, as after a run that was cut off behind its last step.
	if err := rebuild(again, "aaaa", false); err != nil || databases() != 2 {
		t.Errorf("again: %v, %d databases", err, databases())
	}
}

func TestDamagedRowsAreNotLoaded(t *testing.T) {
	s := postgrestest.Start(t)
	dir := pgInstance(t, s, "gotosocial")
	i := openInstance(t, dir, instance.Options{})
	from := restoredFolder(t, begin(t, i))
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	write(t, from, "database/public.no_key.copy", "row 1\tx\n")
	r := &rebuild.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: from,
		RunID: "aaaa"}
	if _, err := r.PutDatabase(t.Context()); err == nil || strings.Contains(err.Error(), "row 1") {
		t.Errorf("%v", err)
	}
	var there bool
	if err := s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
		"SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'gotosocial')").Scan(&there); err != nil || there {
		t.Errorf("it has its name: %v, %v", there, err)
	}
	// What the failed try left is no hindrance.
	write(t, from, "database/public.no_key.copy", "row 1\t7\n")
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Error(err)
	}
}
