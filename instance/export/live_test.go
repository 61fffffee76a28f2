package export_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/export"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
)

// exportLive exports the instance in a folder.
func exportLive(t testing.TB, dir string) (string, error) {
	t.Helper()
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	done, err := writeExport(t, c, &b)
	if n := strings.Count(b.String(), "\n"); err == nil && done.Entries != int64(n) {
		t.Errorf("%d entries are said to be %d", n, done.Entries)
	}
	return b.String(), err
}

// exportStored does it as from a snapshot: with the files of a view, as far as
// they are chosen.
func exportStored(t testing.TB, dir string) (string, error) {
	t.Helper()
	v := instancetest.Begin(t, instancetest.Open(t, dir, instance.Options{}))
	defer v.Close()
	names, err := export.Paths(listed(v.Database()))
	if err != nil {
		return "", err
	}
	stored := t.TempDir()
	for _, name := range names {
		text, err := postgrestest.ReadFile(t.Context(), v, path.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		testkit.Write(t, filepath.Join(stored, path.Base(name)), text)
	}
	var b bytes.Buffer
	_, err = export.WriteSnapshot(t.Context(), stored, &b)
	return b.String(), err
}

func listed(files []manifest.File) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
		yield(manifest.File{Part: manifest.Files, Path: "etc/public.users.copy"}, nil)
	}
}

func noError(t testing.TB, text string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sections are runs of lines of one type, each with its lines sorted.
func sections(export string) (all []string) {
	var of string
	var lines []string
	end := func() {
		slices.Sort(lines)
		all = append(all, strings.Join(lines, ""))
		lines = nil
	}
	for line := range strings.Lines(export) {
		kind, _, _ := strings.Cut(line, ",")
		if kind != of && lines != nil {
			end()
		}
		of, lines = kind, append(lines, line)
	}
	end()
	return all
}

// sameSections wants the same lines, byte for byte, in sections of the same
// order.
func sameSections(t testing.TB, got, want string) {
	t.Helper()
	g, w := sections(got), sections(want)
	if len(g) != len(w) {
		t.Fatalf("%d sections, want %d:\n%s", len(g), len(w), got)
	}
	for i := range w {
		if g[i] != w[i] {
			t.Errorf("section %d is\n%s\nwant\n%s", i, g[i], w[i])
		}
	}
}

func TestExportEqualsGoToSocialsOnSQLite(t *testing.T) {
	dir := testkit.RecordedSQLite.Copy(t)
	live, err := exportLive(t, dir)
	live = noError(t, live, err)
	want := testkit.RecordedSQLite.Export(t)
	sameSections(t, live, want)
	// GoToSocial gives the accounts at the other ends of follows in the random
	// order of a map. Everything else stands at its line.
	other := regexp.MustCompile(`(?m)^.*"INJECTED REMOTE (mia|zed)".*\n`)
	if other.ReplaceAllString(live, "") != other.ReplaceAllString(want, "") {
		t.Errorf("other order:\n%s", live)
	}
	stored, err := exportStored(t, dir)
	if noError(t, stored, err) != live {
		t.Errorf("a snapshot exports\n%s\nlive\n%s", stored, live)
	}
}

func TestExportEqualsGoToSocialsOnPostgres(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	recorded := t.TempDir()
	testkit.RecordedPostgres.Unpack(t, recorded)
	s.Load(t, postgrestest.Owner, "gotosocial", filepath.Join(recorded, "gotosocial.sql"))
	dir := postgrestest.WriteInstance(t, s.Settings("gotosocial"))
	live, err := exportLive(t, dir)
	sameSections(t, noError(t, live, err), testkit.RecordedPostgres.Export(t))
	stored, err := exportStored(t, dir)
	if noError(t, stored, err) != live {
		t.Errorf("a snapshot exports\n%s\nlive\n%s", stored, live)
	}
}

func TestEnginesAndSnapshotsExportTheSame(t *testing.T) {
	sqlite := people(t)
	s := postgrestest.Start(t)
	dir := onPostgres(t, s, sqlite, "gotosocial")
	want, err := exportLive(t, sqlite)
	live, err1 := exportLive(t, dir)
	sameSections(t, noError(t, live, err1), noError(t, want, err))
	stored, err := exportStored(t, dir)
	if noError(t, stored, err) != live {
		t.Errorf("a snapshot exports\n%s\nlive\n%s", stored, live)
	}
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "UPDATE accounts SET locked = locked WHERE domain IS NULL")
	again, err := exportLive(t, dir)
	if noError(t, again, err) != live {
		t.Error("where rows lie shows in the export")
	}
}

func TestExportReadsOldAndNewColumns(t *testing.T) {
	dir := people(t)
	before, err := exportLive(t, dir)
	before = noError(t, before, err)
	db := testkit.OpenSQLite(t, filepath.Join(dir, "sqlite.db"), "")
	defer db.Close()
	for _, q := range []string{
		"ALTER TABLE accounts ADD COLUMN brand_new TEXT DEFAULT 'x'", "ALTER TABLE accounts DROP COLUMN " +
			"note_raw", "ALTER TABLE accounts DROP COLUMN silenced_at",
		"ALTER TABLE users DROP COLUMN reason", "ALTER TABLE domain_blocks DROP COLUMN subscription_id", "ALTER " +
			"TABLE domain_blocks DROP COLUMN obfuscate",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	after, err := exportLive(t, dir)
	if want := strings.Replace(before, `"obfuscate":false`, `"obfuscate":null`, 1); noError(t, after, err) != want {
		t.Errorf("%s\nwant\n%s", after, want)
	}
	if _, err := db.Exec("DROP TABLE follow_requests"); err != nil {
		t.Fatal(err)
	}
	_, err = exportLive(t, dir)
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(err.Error(), "no table follow_requests") ||
		!strings.Contains(p.Fix, "admin export") {
		t.Errorf("%v", err)
	}
}

// writeExport exports a live database.
func writeExport(t testing.TB, c *gotosocial.Config, w io.Writer) (export.Result, error) {
	t.Helper()
	tables, err := instance.OpenTables(t.Context(), c)
	if err != nil {
		return export.Result{}, err
	}
	defer tables.Close()
	return export.Write(t.Context(), tables, w)
}

func TestTablesElsewhereAreExported(t *testing.T) {
	s := postgrestest.Start(t)
	dir := onPostgres(t, s, people(t), "gotosocial")
	want, err := exportLive(t, dir)
	want = noError(t, want, err)
	s.Exec(t, "gotosocial", "ALTER SCHEMA public RENAME TO \"El Se\"; CREATE SCHEMA public; CREATE TABLE accounts "+
		"(id int); GRANT ALL ON ALL TABLES IN SCHEMA public TO gotosocial; GRANT ALL ON SCHEMA public TO gotosocial")
	dir = postgrestest.WriteInstance(t, "db-postgres-connection-string: '"+s.URL(postgrestest.Owner,
		"gotosocial")+"&search_path="+url.PathEscape(`"El Se"`)+"'\n")

	live, err := exportLive(t, dir)
	if noError(t, live, err) != want {
		t.Errorf("exported\n%s\nwant\n%s", live, want)
	}
	stored, err := exportStored(t, dir)
	if noError(t, stored, err) != want {
		t.Errorf("a snapshot exports\n%s\nwant\n%s", stored, want)
	}
}
