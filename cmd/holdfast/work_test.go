package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/cmd/holdfast/terminal"
	"holdfast/remedy"
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
		kind        remedy.Kind
	}{
		"private":                      {0o700, 0o755, nil, remedy.Unexpected},
		"private in /var/tmp":          {0o700, 0o777 | fs.ModeSticky, nil, remedy.Unexpected},
		"others may read":              {0o704, 0o755, nil, remedy.Refused},
		"the group may read":           {0o740, 0o755, nil, remedy.Refused},
		"others may put another there": {0o700, 0o757, nil, remedy.Refused},
		"not there yet, and open":      {0o700, 0o757, os.Remove, remedy.Refused},
		"others' folder": {0o700, 0o755, func(dir string) error {
			if os.Geteuid() != 0 {
				return os.Chmod(dir, 0o777)
			}
			return os.Chown(dir, 65534, 65534)
		}, remedy.Refused},
		"its parent is others'":             {0o700, 0o755, func(dir string) error { return givenAway(filepath.Dir(dir)) }, remedy.Refused},
		"its parent is others', and sticky": {0o700, 0o777 | fs.ModeSticky, func(dir string) error { return givenAway(filepath.Dir(dir)) }, remedy.Refused},
		"far above is others'":              {0o700, 0o755, func(dir string) error { return givenAway(filepath.Dir(filepath.Dir(dir))) }, remedy.Refused},
		"a link": {0o700, 0o755, func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"-real"), os.Symlink(dir+"-real", dir))
		}, remedy.Refused},
		"a file": {0o700, 0o755, func(dir string) error {
			return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600))
		}, remedy.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, c.mode, c.above)
			if c.change != nil {
				if err := c.change(dir); err != nil {
					t.Fatal(err)
				}
			}
			held, err := holdFolder(dir)
			if kind := kindOf(t, err); kind != c.kind {
				t.Errorf("kind %d, %v", kind, err)
			}
			held.Close()
		})
	}

	dir := folder(t, 0o700, 0o755)
	first, err := holdFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holdFolder(dir); kindOf(t, err) != remedy.Busy {
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
	r := &rebuilding{app: newApp(terminal.New(os.Stdin, &out, &out)), work: work}
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

// kindOf returns the kind of an error, Unexpected for nil, and wants a fix.
func kindOf(t *testing.T, err error) remedy.Kind {
	t.Helper()
	if err == nil {
		return remedy.Unexpected
	}
	p := explain(t.Context(), err)
	if p.Fix == "" {
		t.Errorf("no fix: %v", err)
	}
	return p.Kind
}
