package instance_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/manifest"
	"holdfast/rebuild"
	"holdfast/vault"
)

// Names may be as odd and as long as PostgreSQL lets them be, and GoToSocial's
// tables where the connection string's search_path leads.
func TestTablesElsewhereComeBackToTheirPlace(t *testing.T) {
	s := postgrestest.Start(t)
	const database, schema = `ääääääääääääääääääääääääää 'x' %20 é`, `"Söcial ""x"", y"`
	if len(database) > 63 {
		t.Fatal("PostgreSQL cuts the name")
	}
	s.NewDatabase(t, database)
	s.ExecAs(t, postgrestest.Owner, database, "CREATE SCHEMA "+schema+"; SET search_path = "+
		""+schema+";"+postgrestest.Schema)
	text := s.URL(postgrestest.Owner, database) + "&search_path=" + url.PathEscape(schema)
	i := openInstance(t, pgConfig(t, "db-postgres-connection-string: '"+text+"'\n"), instance.Options{})
	want := sortedLines(dump(t, s, database))
	v := begin(t, i)
	if got := v.Facts(); got.Accounts != 2 || got.Migration != "20250715095446" {
		t.Errorf("facts %+v", got)
	}
	if got := slices.Collect(mediaOf(t, v)); !slices.Equal(got, localMedia) {
		t.Errorf("media %q", got)
	}
	from := restoredFolder(t, v)

	// By psql alone, as run.env says: in one session, or in two.
	root, err := os.OpenRoot(from)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	restored := vault.Restored{Domain: "social.example.org", Facts: manifest.Facts{Engine: gotosocial.Postgres},
		Parts: map[manifest.Part]bool{manifest.Database: true, manifest.Media: true}}
	if _, err := (&rebuild.Directory{Path: from}).Finish(t.Context(), root, restored); err != nil {
		t.Fatal(err)
	}
	for name, runs := range map[string][][]string{"one": {{"--file=restore.sql", "--file=after-restore.sql"}},
		"two": {{"--file=restore.sql"}, {"--file=after-restore.sql"}}} {
		s.NewDatabase(t, name)
		for _, files := range runs {
			cmd := exec.Command(filepath.Join(s.Bin, "psql"), append([]string{"--no-psqlrc", "--quiet",
				"--set=ON_ERROR_STOP=1", s.URL(postgrestest.Owner, name)}, files...)...)
			cmd.Dir = filepath.Join(from, "database")
			if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("WARNING")) {
				t.Fatalf("%v: %v\n%s", files, err, out)
			}
		}
		if got := cached(t, s, name, schema); got != "01E 01M 01N" {
			t.Errorf("by %s: cached are %q", name, got)
		}
	}

	s.Exec(t, "postgres", fmt.Sprintf(`ALTER DATABASE "%s" RENAME TO old`, database))
	for _, verbatim := range []bool{true, false} {
		again := t.TempDir()
		if err := os.CopyFS(again, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
		if verbatim { // a verbatim restore brings no such script
			if err := os.Remove(filepath.Join(again, "database", "after-restore.sql")); err != nil {
				t.Fatal(err)
			}
		}
		r := &rebuild.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: again,
			RunID: fmt.Sprint("run", verbatim), Verbatim: verbatim, Replace: !verbatim}
		if _, err := r.PutDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		if verbatim {
			if got := sortedLines(dump(t, s, database)); got != want {
				t.Errorf("loaded\n%s\nwant\n%s", got, want)
			}
		} else if got := cached(t, s, database, schema); got != "01E 01M 01N" {
			t.Errorf("loaded: cached are %q", got)
		}
	}
	var n int
	if err := s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
		"SELECT count(*) FROM pg_database WHERE datname LIKE '%_before_%'").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d databases aside, %v", n, err)
	}
}

// cached are the media and emojis that are marked as cached.
func cached(t *testing.T, s *postgrestest.Server, database, schema string) (ids string) {
	t.Helper()
	conn := s.Connect(t, "postgres", database)
	defer conn.Close(t.Context())
	query := fmt.Sprintf("SELECT string_agg(id, ' ' ORDER BY id) FROM (SELECT id FROM %[1]s.media_attachments WHERE "+
		"cached UNION SELECT id FROM %[1]s.emojis WHERE cached) x", schema)
	if err := conn.QueryRow(t.Context(), query).Scan(&ids); err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestTablesElsewhereAreExported(t *testing.T) {
	s := postgrestest.Start(t)
	dir := onPostgres(t, s, people(t), "gotosocial")
	want, err := exportLive(t, dir)
	want = must1(t, want, err)
	s.Exec(t, "gotosocial", "ALTER SCHEMA public RENAME TO \"El Se\"; CREATE SCHEMA public; CREATE TABLE accounts "+
		"(id int); GRANT ALL ON ALL TABLES IN SCHEMA public TO gotosocial; GRANT ALL ON SCHEMA public TO gotosocial")
	dir = pgConfig(t, "db-postgres-connection-string: '"+s.URL(postgrestest.Owner,
		"gotosocial")+"&search_path="+url.PathEscape(`"El Se"`)+"'\n")
	live, err := exportLive(t, dir)
	if must1(t, live, err) != want {
		t.Errorf("exported\n%s\nwant\n%s", live, want)
	}
	stored, err := exportStored(t, dir)
	if must1(t, stored, err) != want {
		t.Errorf("a snapshot exports\n%s\nwant\n%s", stored, want)
	}
}
