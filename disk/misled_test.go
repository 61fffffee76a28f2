package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
)

// theirFolder makes a folder of nobody's, and a folder of root beside.
func theirFolder(t *testing.T) (theirs, roots string) {
	t.Helper()
	testkit.NeedsRoot(t)
	dir := testkit.PublicDir(t)
	theirs, roots = filepath.Join(dir, "theirs"), filepath.Join(dir, "roots")
	for _, folder := range []string{theirs, roots} {
		testkit.OK(t, os.Mkdir(folder, 0o755))
	}
	testkit.OK(t, os.Chown(theirs, testkit.Nobody, testkit.Nobody))
	return theirs, roots
}

func TestLinkOfAnotherUserLeadsRootNowhere(t *testing.T) {
	theirs, roots := theirFolder(t)
	own := filepath.Join(theirs, "own")
	testkit.OK(t, errors.Join(os.Mkdir(own, 0o755), os.Chown(own, testkit.Nobody, testkit.Nobody)))
	for name, c := range map[string]struct {
		target string
		user   int
		misled bool
	}{
		"their link to a folder of root":  {roots, testkit.Nobody, true},
		"their link upwards":              {"../roots", testkit.Nobody, true},
		"their link to their own folder":  {own, testkit.Nobody, false},
		"root's link to a folder of root": {roots, 0, false},
	} {
		link := filepath.Join(theirs, "link")
		testkit.OK(t, errors.Join(os.Symlink(c.target, link), os.Lchown(link, c.user, c.user)))
		from := filepath.Join(t.TempDir(), "from")
		testkit.Write(t, from, "text")
		testkit.Write(t, filepath.Join(roots, "old"), "old")
		testkit.Write(t, filepath.Join(own, "old"), "old")
		m := &Mover{Run: "RUN", Replace: true}
		_, asideErr := m.Aside(filepath.Join(link, "old"), "")
		for what, err := range map[string]error{
			"CheckWay": CheckWay(filepath.Join(link, "new")), "MakeFolder": m.MakeFolder(filepath.Join(link, "folder")),
			"Move": m.Move(from, filepath.Join(link, "new"), ""), "Aside": asideErr,
			"GiveFolder": m.GiveFolder(filepath.Join(link, "folder")),
		} {
			var misled *Misled
			if errors.As(err, &misled) != c.misled || (err != nil) != c.misled {
				t.Errorf("%s: %s: %v", name, what, err)
			}
			if c.misled && err != nil && (misled.Link != link || misled.Folder != roots) {
				t.Errorf("%s: %s: %+v", name, what, misled)
			}
		}
		if c.misled {
			entries, err := os.ReadDir(roots)
			if err != nil || len(entries) != 1 || entries[0].Name() != "old" {
				t.Errorf("%s: %v, %v", name, entries, err)
			}
		}
		testkit.OK(t, errors.Join(os.Remove(link), os.RemoveAll(roots), os.Mkdir(roots, 0o755)))
		for _, left := range []string{"folder", "new", "old", "old.before-restore"} {
			testkit.OK(t, os.RemoveAll(filepath.Join(own, left)))
		}
	}
}

func TestLoopAndFileOnTheWayAreErrors(t *testing.T) {
	dir := t.TempDir()
	testkit.OK(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	testkit.Write(t, filepath.Join(dir, "file"), "text")
	for _, name := range []string{"loop", "file"} {
		if _, err := lastFolder(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s passes for a folder", name)
		}
	}
	if err := CheckWay(filepath.Join(dir, "missing/new")); err != nil {
		t.Error(err)
	}
}
