package rebuild

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/disk"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// What lies in it is the whole instance in the clear.
func TestWorkFolderIsThisUsersAlone(t *testing.T) {
	folder := func(t *testing.T, mode, above fs.FileMode) string {
		parent := filepath.Join(t.TempDir(), "parent")
		dir := filepath.Join(parent, "work")
		err := errors.Join(os.Mkdir(parent, 0o755), os.Mkdir(dir, 0o700), os.Chmod(dir, mode), os.Chmod(parent, above))
		if err != nil {
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
		"its parent is others'": {0o700, 0o755, func(dir string) error {
			return givenAway(filepath.Dir(dir))
		}, remedy.Refused},
		"its parent is others', and sticky": {0o700, 0o777 | fs.ModeSticky, func(dir string) error {
			return givenAway(filepath.Dir(dir))
		}, remedy.Refused},
		"far above is others'": {0o700, 0o755, func(dir string) error {
			return givenAway(filepath.Dir(filepath.Dir(dir)))
		}, remedy.Refused},
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
			held, err := lockFolder(dir)
			if kind := kindOf(t, err); kind != c.kind {
				t.Errorf("kind %d, %v", kind, err)
			}
			held.Close()
		})
	}

	dir := folder(t, 0o700, 0o755)
	first, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); kindOf(t, err) != remedy.Busy {
		t.Errorf("a second one: %v", err)
	}
	first.Close()
	if again, err := lockFolder(dir); err != nil {
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

// Media usually belong to the server's user, and so does the folder around them.
func TestWorkFolderAvoidsFoldersOfOtherUsers(t *testing.T) {
	top := t.TempDir()
	storage := filepath.Join(top, "gotosocial", "storage")
	if err := os.MkdirAll(storage, 0o755); err != nil {
		t.Fatal(err)
	}
	name := ".holdfast-example.org"
	begin := func(folder string) error {
		return errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, journalName), nil, 0o600))
	}
	if w := workFolderNear(storage, "example.org"); w.path != filepath.Join(storage, name) {
		t.Errorf("%s", w.path)
	}
	if err := errors.Join(givenAway(storage), givenAway(filepath.Dir(storage))); err != nil {
		t.Fatal(err)
	}
	// A journal that another user put there does not count.
	if err := begin(filepath.Join(storage, name)); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(top, name)
	if w := workFolderNear(storage, "example.org"); w.path != want || w.searched[0] != want {
		t.Errorf("%s, %q", w.path, w.searched)
	}
	// The folder of an unfinished run comes before a nearer folder.
	if err := errors.Join(begin(want), os.Mkdir(filepath.Join(top, "new"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if w := workFolderNear(filepath.Join(top, "new", "storage"), "example.org"); w.path != want {
		t.Errorf("%s", w.path)
	}
}

func TestStrayFileKeepsTheWorkFolder(t *testing.T) {
	w := &workFolder{path: t.TempDir()}
	stray := filepath.Join(w.path, "stray")
	if err := errors.Join(os.WriteFile(w.journalFile(), nil, 0o600), os.WriteFile(stray, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if isStray, err := w.remove(); err != nil || !isStray {
		t.Errorf("%v, %v", isStray, err)
	}
	if _, err := os.Stat(stray); err != nil {
		t.Error(err)
	}
}

func TestWorkFolderIsRemoved(t *testing.T) {
	w := &workFolder{path: filepath.Join(t.TempDir(), "work")}
	err := errors.Join(os.Mkdir(w.path, 0o700), os.WriteFile(w.journalFile(), nil, 0o600),
		os.WriteFile(w.journalFile()+disk.PartSuffix, nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if isStray, err := w.remove(); err != nil || isStray {
		t.Errorf("%v, %v", isStray, err)
	}
	if _, err := os.Stat(w.path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// kindOf returns the kind of an error, Unexpected for nil, and wants a fix.
func kindOf(t *testing.T, err error) remedy.Kind {
	t.Helper()
	if err == nil {
		return remedy.Unexpected
	}
	var p *remedy.Error
	if !errors.As(err, &p) || p.Fix == "" {
		t.Fatalf("no fix: %v", err)
	}
	return p.Kind
}

// A folder is as safe as every link and folder on the way to it.
func TestFolderIsGuardedAlongLinks(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := t.TempDir()
	err := errors.Join(os.MkdirAll(dir+"/theirs/below", 0o755), os.Chown(dir+"/theirs", testkit.Nobody, testkit.Nobody),
		os.Mkdir(dir+"/ours", 0o755),
		os.Symlink("theirs/below", dir+"/link"), os.Symlink("ours", dir+"/fine"), os.Symlink("ours", dir+"/planted"),
		os.Lchown(dir+"/planted", testkit.Nobody, testkit.Nobody))
	if err != nil {
		t.Fatal(err)
	}
	for name, fine := range map[string]bool{
		"ours": true, "fine": true, "theirs": false, "theirs/below": false, "link": false, "planted": false,
	} {
		if err := checkGuarded(filepath.Join(dir, name)); (err == nil) != fine {
			t.Errorf("%s: %v", name, err)
		} else if err != nil && (!remedy.Is(err, remedy.Refused) ||
			!strings.Contains(err.Error(), "belongs to nobody")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
