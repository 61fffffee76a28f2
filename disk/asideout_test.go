package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
)

func TestAsideOutLeavesNothingInTheFolder(t *testing.T) {
	dir := t.TempDir()
	folder, path := dir+"/template", dir+"/template/below/page.tmpl"
	testkit.Write(t, path, "first")
	var inTheWay *InTheWay
	if _, err := new(Mover).AsideOut(folder, path); !errors.As(err, &inTheWay) {
		t.Fatalf("without Replace: %v", err)
	}
	m := &Mover{Replace: true}
	for _, c := range []struct{ text, to string }{
		{"first", dir + "/template.before-restore/below/page.tmpl"},
		{"second", dir + "/template.before-restore2/below/page.tmpl"},
		{"", ""}, // the file is gone
	} {
		if c.text != "" {
			testkit.Write(t, path, c.text)
		}
		to, err := m.AsideOut(folder, path)
		testkit.OK(t, err)
		if to != c.to {
			t.Errorf("%q is in %q, not in %q", c.text, to, c.to)
		}
		if text, err := os.ReadFile(to); to != "" && string(text) != c.text {
			t.Errorf("%s: %q, %v", to, text, err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

// The server's user may own the parent folder, and root runs the restore.
func TestAsideOutFollowsNoLinkOutOfTheParent(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	testkit.Write(t, dir+"/template/page.tmpl", "planted")
	testkit.OK(t, os.Symlink(other, dir+"/template.before-restore"))
	to, err := (&Mover{Replace: true}).AsideOut(dir+"/template", dir+"/template/page.tmpl")
	testkit.OK(t, err)
	if planted, err := os.ReadDir(other); len(planted) > 0 || to != dir+"/template.before-restore2/page.tmpl" {
		t.Errorf("%s, and %v in the folder of another user: %v", to, planted, err)
	}
}
