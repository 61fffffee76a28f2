package instance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/instance"
	"holdfast/instance/instancetest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/vault"
)

func TestFactsDescribeTheInstance(t *testing.T) {
	dir := small(t, "WAL")
	binary := script(t, dir, "echo gotosocial version 0.20.0-rc1 '(57cb4fe)'")
	belongToNobody(t, dir)
	i := instancetest.Open(t, dir, instance.Options{Binary: binary})
	want := manifest.Facts{Engine: "sqlite", User: fileUser(t, dir), AccountDomain: "example.org",
		GoToSocial: "0.20.0-rc1", Migration: "20250715095446", Accounts: 2, Statuses: 2}
	if got := facts(t, instancetest.Begin(t, i)); got != want {
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
	for _, err := range []error{os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755),
		os.Chown(filepath.Join(dir, "sqlite.db"), 65534, 65534)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRootRunsTheBinaryOnlyAsTheDatabasesUser(t *testing.T) {
	testkit.NeedsRoot(t)
	const another = nobody - 1
	for name, c := range map[string]struct {
		database, binary int // who owns them
		link             bool
		mode             os.FileMode // of the binary's folder
		want             string
	}{
		"the server's user":             {nobody, nobody, false, 0o755, "1.2.65534"},
		"the distribution's binary":     {nobody, 0, false, 0o755, "1.2.65534"},
		"a database elsewhere":          {nobody, nobody, true, 0o755, "1.2.65534"},
		"root's database":               {0, 0, false, 0o755, ""},
		"a link to root's file":         {0, nobody, true, 0o755, ""},
		"a link to another user's file": {another, nobody, true, 0o755, ""},
		"another user's binary":         {nobody, another, false, 0o755, ""},
		"a folder of all users":         {nobody, 0, false, 0o777, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := small(t, "WAL")
			belongToNobody(t, dir)
			database, binary := filepath.Join(dir, "sqlite.db"), script(t, dir, "echo gotosocial version 1.2.$(id -u)")
			i := instancetest.Open(t, dir, instance.Options{Binary: binary})
			if c.link {
				if err := errors.Join(os.Rename(database, database+".moved"), os.Symlink("sqlite.db.moved",
					database)); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(os.Chown(database, c.database, c.database), os.Chown(binary, c.binary,
				c.binary), os.Chmod(dir, c.mode)); err != nil {
				t.Fatal(err)
			}
			if got := i.Version(t.Context()); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestBinaryIsNotRunBesideAStrangeDatabase(t *testing.T) {
	dir := small(t, "WAL")
	testkit.Write(t, filepath.Join(dir, "sqlite.db"), strings.Repeat("encrypted ", 1000))
	belongToNobody(t, dir)
	trace := filepath.Join(t.TempDir(), "trace")
	testkit.Write(t, filepath.Join(filepath.Dir(trace), "trace"), "")
	if err := os.Chmod(trace, 0o666); err != nil {
		t.Fatal(err)
	}
	binary := script(t, dir, "echo ran >"+trace)
	if _, err := instancetest.Open(t, dir, instance.Options{Binary: binary}).Begin(t.Context()); err == nil {
		t.Error("begun")
	}
	if b, err := os.ReadFile(trace); err != nil || len(b) > 0 {
		t.Errorf("%s, %v", b, err)
	}
}

func TestEndlessVersionIsIgnored(t *testing.T) {
	dir := small(t, "WAL")
	belongToNobody(t, dir)
	for text, want := range map[string]string{"echo gotosocial version 1.2.3; head -c 100000 /dev/zero": "1.2.3",
		"head -c 100000 /dev/zero; echo; echo 'gotosocial version 1.2.3'": ""} {
		if got := instancetest.Open(t, dir, instance.Options{Binary: script(t, dir,
			text)}).Version(t.Context()); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// script is a program in dir.
func script(t *testing.T, dir, text string) string {
	t.Helper()
	testkit.Write(t, filepath.Join(dir, "gotosocial"), "#!/bin/sh\n"+text+"\n")
	binary := filepath.Join(dir, "gotosocial")
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return binary
}

// ending is a context that has ended when it is looked at often enough.
type ending struct {
	context.Context
	looks *int
}

func (c ending) Err() error {
	if *c.looks--; *c.looks <= 0 {
		return context.Canceled
	}
	return nil
}

func TestFactsAreWholeOrAnError(t *testing.T) {
	i := instancetest.Open(t, small(t, "WAL"), instance.Options{})
	want := facts(t, instancetest.Begin(t, i))
	n := 1
	for ; ; n++ {
		looks := n
		v, err := i.Begin(ending{t.Context(), &looks})
		if err != nil {
			continue
		}
		v.Close()
		if got := facts(t, v); got != want {
			t.Errorf("ended at look %d: %+v, want %+v", n, got, want)
		}
		if looks > 0 {
			break
		}
	}
	if n < 10 {
		t.Errorf("only %d looks until Begin went well", n)
	}
}

func TestMediaAreLocalOnly(t *testing.T) {
	i := instancetest.Open(t, small(t, "WAL"), instance.Options{})
	if got := mediaIn(t, instancetest.Begin(t, i)); !slices.Equal(got, testkit.LocalMedia) {
		t.Errorf("%q", got)
	}
	named, err := i.Named(t.Context(), []string{testkit.LocalMedia[0], "gone", "01D/attachment/original/01O.png"})
	if err != nil || len(named) != 1 || !named[testkit.LocalMedia[0]] {
		t.Errorf("named %v, %v", named, err)
	}
}

func TestMediaEqualWhatGoToSocialLists(t *testing.T) {
	dir := testkit.RecordedSQLite.Copy(t)
	want := slices.Sorted(maps.Keys(testkit.RecordedSQLite.Media(t)))
	i := instancetest.Open(t, dir, instance.Options{})
	v := instancetest.Begin(t, i)
	got := mediaIn(t, v)
	if !slices.Equal(got, want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
	for _, key := range got {
		if _, err := i.Stat(t.Context(), manifest.Media, key); err != nil {
			t.Error(err)
		}
	}
	if f := facts(t, v); f.Migration != "20250715095446" || f.Accounts != 3 || f.Statuses < 200 {
		t.Errorf("%+v", f)
	}
}

func mediaIn(t *testing.T, v vault.View) (keys []string) {
	t.Helper()
	for key, err := range v.Media(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func TestMediaStayInTheirDirectory(t *testing.T) {
	dir := small(t, "WAL")
	testkit.Write(t, filepath.Join(dir, "secret"), "secret")
	i := instancetest.Open(t, dir, instance.Options{})
	for _, path := range []string{"../secret", "/etc/passwd", "01B", ""} {
		if f, err := i.Open(t.Context(), manifest.Media, path); err == nil {
			f.Close()
			t.Errorf("%q was opened", path)
		}
	}
	if _, err := i.Open(t.Context(), manifest.Media, "01B/gone"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	f, err := i.Open(t.Context(), manifest.Media, testkit.LocalMedia[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, _ := io.ReadAll(f); string(b) != "bytes of "+testkit.LocalMedia[0] {
		t.Errorf("%q", b)
	}
}

func TestPipeDoesNotBlock(t *testing.T) {
	dir := small(t, "WAL")
	i := instancetest.Open(t, dir, instance.Options{})
	pipe := filepath.Join(dir, "storage/pipe")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Fatal(err)
	}
	for part, path := range map[manifest.Part]string{manifest.Media: "pipe", manifest.Files: pipe[1:]} {
		if f, err := i.Open(t.Context(), part, path); err == nil {
			f.Close()
			t.Errorf("%s: opened", part)
		}
	}
}

const nobody = 65534

func TestPipeInPlaceOfTheMediaDoesNotBlock(t *testing.T) {
	dir := small(t, "WAL")
	storage := filepath.Join(dir, "storage")
	testkit.OK(t, os.Rename(storage, storage+".moved"))
	testkit.OK(t, syscall.Mkfifo(storage, 0o666))
	if err := instancetest.Open(t, dir, instance.Options{}).MediaProblem(); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("the media are a pipe: %v", err)
	}
}

func TestAnotherUserIsRefusedWithoutATrace(t *testing.T) {
	dir, reader := public(t, "WAL")
	before := testkit.Names(t, dir)
	out := reader()
	if !strings.Contains(out, "refused: ") || !strings.Contains(out, "fix: run Holdfast as that user: sudo -u root "+
		"holdfast") {
		t.Errorf("%s", out)
	}
	if after := testkit.Names(t, dir); !slices.Equal(after, before) {
		t.Errorf("left behind: %v, before %v", after, before)
	}
}

func TestAnotherUserReadsBesideTheServer(t *testing.T) {
	dir, reader := public(t, "WAL")
	s := testkit.StartSQLiteWriter(t, testkit.Role("writer", filepath.Join(dir, "sqlite.db")))
	s.Commits()
	if out := reader(); !readWhole(out) {
		t.Errorf("%s", out)
	}
}

// readWhole reports whether a reader says that it read all of the database.
func readWhole(out string) bool {
	var n, size int64
	fmt.Sscanf(out, "read %d bytes of %d\n", &n, &size)
	return n > 0 && n == size
}

func TestHeaderDecidesTheJournalMode(t *testing.T) {
	for _, c := range []struct{ mode, configured string }{{"WAL", "DELETE"}, {"DELETE", "WAL"}} {
		dir, reader := public(t, c.mode)
		text, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		testkit.Write(t, filepath.Join(dir, "config.yaml"), strings.Replace(string(text), "mode: "+c.mode,
			"mode: "+c.configured, 1))
		before := testkit.Names(t, dir)
		out := reader()
		if refused := strings.HasPrefix(out, "refused: "); refused != (c.mode == "WAL") || !refused && !readWhole(out) {
			t.Errorf("%s, configured %s: %s", c.mode, c.configured, out)
		}
		if after := testkit.Names(t, dir); !slices.Equal(after, before) {
			t.Errorf("left behind: %v, before %v", after, before)
		}
	}
}

func TestViewKeepsItsLocksBesideAnother(t *testing.T) {
	_, reader := public(t, "DELETE")
	if out := reader(); !strings.Contains(out, "locks held: true\n") {
		t.Errorf("%s", out)
	}
}

func TestUnreadableDatabaseNamesTheUserToRunAs(t *testing.T) {
	dir, reader := public(t, "DELETE")
	testkit.OK(t, os.Chmod(filepath.Join(dir, "sqlite.db"), 0o700))
	if out := reader(); !strings.HasPrefix(out, "refused: can't read the ") ||
		!strings.Contains(out, "fix: run Holdfast as root or as the file's user") {
		t.Error(out)
	}
}

// public is an instance in a folder that everybody may write to, and a reader that runs
// as nobody, with extra paths.
func public(t *testing.T, journal string) (dir string, reader func(extra ...string) string) {
	t.Helper()
	testkit.NeedsRoot(t)
	dir = small(t, journal)
	program := testkit.CopySelf(t)
	for _, d := range []string{dir, filepath.Dir(dir)} {
		testkit.OK(t, os.Chmod(d, 0o777))
	}
	return dir, func(extra ...string) string {
		cmd := testkit.AsNobody(exec.Command(program, append([]string{filepath.Join(dir, "config.yaml")}, extra...)...))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), testkit.RoleVariable("reader"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			out = append([]byte("error: "), out...)
		}
		return string(out)
	}
}
