package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/remote"
)

// What lies in it is the whole instance in the clear.
func TestWorkFolderIsThisUsersAlone(t *testing.T) {
	folder := func(t *testing.T, mode, above fs.FileMode) string {
		parent := filepath.Join(t.TempDir(), "parent")
		dir := filepath.Join(parent, "work")
		if err := errors.Join(os.Mkdir(parent, 0o755), os.Mkdir(dir, 0o700), os.Chmod(dir, mode), os.Chmod(parent, above)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for name, c := range map[string]struct {
		mode, above fs.FileMode
		change      func(dir string) error
		exit        int
	}{
		"private":                      {0o700, 0o755, nil, 0},
		"private in /var/tmp":          {0o700, 0o777 | fs.ModeSticky, nil, 0},
		"others may read":              {0o704, 0o755, nil, exitRefused},
		"the group may read":           {0o740, 0o755, nil, exitRefused},
		"others may put another there": {0o700, 0o757, nil, exitRefused},
		"not there yet, and open":      {0o700, 0o757, os.Remove, exitRefused},
		"others' folder": {0o700, 0o755, func(dir string) error {
			if os.Geteuid() != 0 {
				return os.Chmod(dir, 0o777)
			}
			return os.Chown(dir, 65534, 65534)
		}, exitRefused},
		"its parent is others'":             {0o700, 0o755, func(dir string) error { return givenAway(filepath.Dir(dir)) }, exitRefused},
		"its parent is others', and sticky": {0o700, 0o777 | fs.ModeSticky, func(dir string) error { return givenAway(filepath.Dir(dir)) }, exitRefused},
		"far above is others'":              {0o700, 0o755, func(dir string) error { return givenAway(filepath.Dir(filepath.Dir(dir))) }, exitRefused},
		"a link": {0o700, 0o755, func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"-real"), os.Symlink(dir+"-real", dir))
		}, exitRefused},
		"a file": {0o700, 0o755, func(dir string) error {
			return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600))
		}, exitRefused},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, c.mode, c.above)
			if c.change != nil {
				if err := c.change(dir); err != nil {
					t.Fatal(err)
				}
			}
			held, err := holdFolder(dir)
			if exit := explainedExit(t, err); exit != c.exit {
				t.Errorf("exit %d, %v", exit, err)
			}
			held.Close()
		})
	}

	dir := folder(t, 0o700, 0o755)
	first, err := holdFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holdFolder(dir); explainedExit(t, err) != exitBusy {
		t.Errorf("a second one: %v", err)
	}
	first.Close()
	if again, err := holdFolder(dir); err != nil {
		t.Errorf("after the first: %v", err)
	} else {
		again.Close()
	}
}

// givenAway gives a folder to another user, or, where this isn't root, to all.
func givenAway(dir string) error {
	if os.Geteuid() != 0 {
		return os.Chmod(dir, 0o777)
	}
	return os.Chown(dir, 65534, 65534)
}

// Storage is the server's user's, as a rule, and so is the folder that it lies in.
func TestWorkFolderPassesOverFoldersOfOthers(t *testing.T) {
	top := t.TempDir()
	storage := filepath.Join(top, "gotosocial", "storage")
	if err := os.MkdirAll(storage, 0o755); err != nil {
		t.Fatal(err)
	}
	name := ".holdfast-example.org"
	if work, _ := workFolder(storage, "example.org"); work != filepath.Join(storage, name) {
		t.Errorf("%s", work)
	}
	if err := errors.Join(givenAway(storage), givenAway(filepath.Dir(storage))); err != nil {
		t.Fatal(err)
	}
	// What others put there is no restore of this user's.
	if err := errors.Join(os.Mkdir(filepath.Join(storage, name), 0o700), os.WriteFile(filepath.Join(storage, name, journalName), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(top, name)
	if work, searched := workFolder(storage, "example.org"); work != want || searched[0] != want {
		t.Errorf("%s, %q", work, searched)
	}
	// One that was begun is found where nearer folders came since.
	if err := errors.Join(os.Mkdir(want, 0o700), os.WriteFile(filepath.Join(want, journalName), nil, 0o600), os.Mkdir(filepath.Join(top, "new"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if work, _ := workFolder(filepath.Join(top, "new", "storage"), "example.org"); work != want {
		t.Errorf("%s", work)
	}
}

func TestStrayFileKeepsTheWorkFolderAndIsNoFailure(t *testing.T) {
	var out strings.Builder
	work := t.TempDir()
	r := &rebuilding{app: &app{in: os.Stdin, out: &out, err: &out}, work: work}
	stray := filepath.Join(work, "stray")
	if err := errors.Join(os.WriteFile(r.journalFile(), nil, 0o600), os.WriteFile(stray, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := r.clear(); err != nil || !strings.Contains(out.String(), work+" stays") {
		t.Errorf("%v, %q", err, out.String())
	}
	if _, err := os.Stat(stray); err != nil {
		t.Error(err)
	}
}

func explainedExit(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	p := explain(t.Context(), err)
	if p.fix == "" {
		t.Errorf("no fix: %v", err)
	}
	return p.exit
}

func TestCommandThatGoesOnHoldsNoSecret(t *testing.T) {
	var out strings.Builder
	a := &app{in: os.Stdin, out: &out, err: &out}
	for _, c := range []struct{ args, want string }{
		{"--from|/remote#hf1abc|--identity|-|--yes|social.example.org|--verbatim|--plan", "--from '/remote#hf1abc' --identity - --verbatim --yes social.example.org"},
		{"--from|s3://key:hunter2@host/bucket|--passphrase=cmd:echo hunter2", "--from s3://key:xxxxx@host/bucket --passphrase='cmd:…'"},
		{"--passphrase|--replace=false|--work|/it's here|--resume", "--passphrase --work '/it'\\''s here'"},
	} {
		cmd := a.restoreCommand()
		v := &restoreVerb{flags: cmd.Flags()}
		if err := cmd.ParseFlags(strings.Split(c.args, "|")); err != nil {
			t.Fatal(err)
		}
		if got := v.again("0123456789"); got != "holdfast restore 0123456789 "+c.want+" --resume" {
			t.Errorf("%s: %s", c.args, got)
		}
	}
}

// An interrupted full restore is not gone on with by the same command.
func TestWhatGoesOnIsSaidOnce(t *testing.T) {
	err := error(&problem{exit: exitFull, err: errors.New("full"), fix: "make room", again: "holdfast restore --resume"})
	for range 2 {
		p := explain(t.Context(), err)
		if p.fix != "make room; this goes on with it:\nholdfast restore --resume" {
			t.Errorf("%q", p.fix)
		}
		err = p
	}
	p := explain(t.Context(), &problem{err: context.Canceled, fix: "run it again", again: "holdfast restore --resume"})
	if p.exit != exitInterrupted || p.fix != "this goes on with it:\nholdfast restore --resume" {
		t.Errorf("%q", p.fix)
	}
}

func TestMediaThatBreakOffAreTheBucketsFault(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", "10")
		w.Header().Set("ETag", `"etag"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		w.Write([]byte("half"))
	}))
	defer server.Close()
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := "host: example.org\nstorage-backend: s3\nstorage-s3-use-ssl: false\nstorage-s3-bucket: media\nstorage-s3-region: here\n" +
		"storage-s3-access-key: a\nstorage-s3-secret-key: s\nstorage-s3-endpoint: " + server.Listener.Addr().String() + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := gotosocial.Load(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := media.OpenClient(c, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	r, err := b.Open(t.Context(), "key.png")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, remote.ErrUnreachable) || !strings.HasPrefix(err.Error(), "GoToSocial's bucket: ") {
		t.Errorf("%v", err)
	}
}
