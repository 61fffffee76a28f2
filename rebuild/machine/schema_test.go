package machine_test

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
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/rebuild/machine"
	"holdfast/rebuild/restored"
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
	i := instancetest.Open(t, postgrestest.WriteInstance(t, "db-postgres-connection-string: '"+text+"'\n"),
		instance.Options{})
	want := postgrestest.SortedLines(s.Dump(t, database))
	v := instancetest.Begin(t, i)
	if got, _ := v.Facts(t.Context()); got.Accounts != 2 || got.Migration != "20250715095446" {
		t.Errorf("facts %+v", got)
	}
	if got := slices.Collect(postgrestest.Media(t, v)); !slices.Equal(got, testkit.LocalMedia) {
		t.Errorf("media %q", got)
	}
	from := postgrestest.RestoredFolder(t, v)

	// By psql alone, as run.env says: in one session, or in two.
	root, err := os.OpenRoot(from)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	fetched := vault.Restored{Domain: "social.example.org", Facts: manifest.Facts{Engine: gotosocial.Postgres},
		Parts: map[manifest.Part]bool{manifest.Database: true, manifest.Media: true}}
	if _, err := (&restored.Folder{Path: from}).Finish(t.Context(), root, fetched); err != nil {
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
		r := &machine.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres}, Folder: again,
			RunID: fmt.Sprint("run", verbatim), Verbatim: verbatim, Replace: !verbatim}
		if _, err := r.PutDatabase(t.Context()); err != nil {
			t.Fatal(err)
		}
		if verbatim {
			if got := postgrestest.SortedLines(s.Dump(t, database)); got != want {
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

// GoToSocial's tables are where its search_path leads, and no search_path comes
// along.
func TestRemoteMediaAreMarkedInWhicheverSchema(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "CREATE SCHEMA elsewhere; CREATE TABLE emojis (other int); SET "+
		"search_path = elsewhere;"+postgrestest.Schema)
	i := instancetest.Open(t, postgrestest.WriteInstance(t, "db-postgres-connection-string: "+s.URL(postgrestest.Owner,
		"gotosocial")+"&search_path=elsewhere\n"),
		instance.Options{})
	v := instancetest.Begin(t, i)
	facts, _ := v.Facts(t.Context())
	from := postgrestest.RestoredFolder(t, v)
	cached := func(database string) (ids string) {
		err := s.Connect(t, "postgres", database).QueryRow(t.Context(),
			"SELECT string_agg(id, ' ' ORDER BY id) FROM (SELECT id FROM elsewhere.media_attachments WHERE cached "+
				"UNION SELECT id FROM elsewhere.emojis WHERE cached) x").Scan(&ids)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}

	root, err := os.OpenRoot(from)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	fetched := vault.Restored{Domain: "social.example.org", Facts: facts,
		Parts: map[manifest.Part]bool{manifest.Database: true, manifest.Media: true}}
	if _, err := (&restored.Folder{Path: from}).Finish(t.Context(), root, fetched); err != nil {
		t.Fatal(err)
	}
	s.NewDatabase(t, "by_hand")
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(from, "database", "restore.sql"))
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(from, "database", "after-restore.sql"))
	if got := cached("by_hand"); got != "01E 01M 01N" {
		t.Errorf("by psql, cached are %q", got)
	}

	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &machine.Machine{Config: i.Config(), Facts: facts, Folder: from, RunID: "aaaa"}
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := cached("gotosocial"); got != "01E 01M 01N" {
		t.Errorf("loaded, cached are %q", got)
	}
}
