package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
)

func TestPutFolderMakesThePrivateFolderAgain(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := t.TempDir()
	private, file := filepath.Join(dir, "above/private"), filepath.Join(dir, "file")
	theirs := func(mode fs.FileMode) Folder { return Folder{Mode: mode, User: "nobody:nogroup", Known: true} }
	m := &Mover{Run: "RUN", Folders: map[string]Folder{private: theirs(0o500), dir: theirs(0o700), file: theirs(0o700)}}
	// A killed run left its folder.
	testkit.OK(t, os.MkdirAll(filepath.Join(dir, "above/.holdfast-RUN"), 0o755))
	testkit.OK(t, m.PutFolder(private))
	info, err := os.Stat(private)
	if err != nil || info.Mode().Perm() != 0o500 || info.Sys().(*syscall.Stat_t).Uid != testkit.Nobody {
		t.Fatalf("%+v, %v", info, err)
	}
	// An existing folder stays as it is.
	testkit.OK(t, m.PutFolder(dir))
	if info, err := os.Stat(dir); err != nil || FileUser(info) != 0 {
		t.Errorf("%+v, %v", info, err)
	}
	testkit.OK(t, os.WriteFile(file, nil, 0o600))
	if err := m.PutFolder(file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
}

// The user of a folder exchanges a new folder by a folder of root.
func TestFilledFolderIsNeverGivenAway(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := t.TempDir()
	roots := filepath.Join(dir, ".holdfast-RUN")
	testkit.Write(t, filepath.Join(roots, "key"), "root's")
	m := &Mover{Run: "RUN", User: "nobody:nogroup", Own: []string{filepath.Join(dir, "new")}}
	if err := m.PutFolder(filepath.Join(dir, "new")); err == nil {
		t.Error("no error")
	}
	if uid, _ := testkit.User(t, roots); uid != 0 {
		t.Errorf("the folder belongs to %d", uid)
	}
}

func TestFolderIsNotMadeInPlaceOfALink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	testkit.OK(t, os.Symlink("gone", link))
	err := (&Mover{Run: "RUN"}).PutFolder(link)
	if err == nil || !strings.Contains(err.Error(), link+" is a link that leads nowhere") {
		t.Errorf("%v", err)
	}
	if names := testkit.Names(t, dir); !slices.Equal(names, []string{"link"}) {
		t.Errorf("%q", names)
	}
}

func TestNewFolderIsAsPrivateAsItsFiles(t *testing.T) {
	testkit.NeedsRoot(t)
	const nobody, theirs = testkit.Nobody, "nobody:nogroup"
	for name, c := range map[string]struct {
		file   fs.FileMode
		folder Folder // zero: not described
		mode   fs.FileMode
		user   int
	}{
		"a private file":              {0o600, Folder{}.With(0o700, theirs), 0o700, nobody},
		"a file for a group":          {0o640, Folder{}.With(0o750, theirs), 0o750, nobody},
		"an open file":                {0o644, Folder{}.With(0o755, theirs), 0o755, 0},
		"an executable file":          {0o755, Folder{}.With(0o755, theirs), 0o755, 0},
		"an open and a private file":  {0o600, Folder{}.With(0o700, theirs).With(0o755, "root:root"), 0o755, 0},
		"private files of two users":  {0o600, Folder{}.With(0o700, theirs).With(0o700, "root:root"), 0o711, 0},
		"private files of one user":   {0o600, Folder{}.With(0o700, theirs).With(0o700, theirs), 0o700, nobody},
		"a private file, undescribed": {0o600, Folder{}, 0o700, 0},
		"an open file, undescribed":   {0o644, Folder{}, 0o755, 0},
	} {
		for _, umask := range []int{0, 0o022, 0o077} {
			dir := t.TempDir()
			from, to := filepath.Join(dir, "from"), filepath.Join(dir, "above", "folder", "to")
			m := &Mover{Run: "run", Folders: map[string]Folder{}}
			if c.folder.Mode != 0 {
				m.Folders[filepath.Dir(to)] = c.folder
			}
			was := unix.Umask(umask)
			err := os.WriteFile(from, nil, 0o600)
			if err == nil {
				err = os.Chmod(from, c.file)
			}
			if err == nil {
				err = m.Move(from, to, theirs)
			}
			unix.Umask(was)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			folder, err := os.Stat(filepath.Dir(to))
			if err != nil {
				t.Fatal(err)
			}
			if folder.Mode().Perm() != c.mode || int(folder.Sys().(*syscall.Stat_t).Uid) != c.user {
				t.Errorf("%s, umask %03o: the folder has mode %04o and user %d", name, umask, folder.Mode().Perm(),
					folder.Sys().(*syscall.Stat_t).Uid)
			}
			if file, err := os.Stat(to); err != nil || file.Mode().Perm() != c.file {
				t.Errorf("%s, umask %03o: the file is %v, %v", name, umask, file, err)
			}
		}
	}
}

func TestExistingFolderKeepsItsMode(t *testing.T) {
	dir := t.TempDir()
	for _, mode := range []fs.FileMode{0o700, 0o755} {
		folder, from := filepath.Join(dir, mode.String()), filepath.Join(dir, "from")
		if err := os.Mkdir(folder, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(from, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		m := &Mover{Run: "run", Folders: map[string]Folder{folder: {Mode: 0o777}}}
		if err := m.Move(from, filepath.Join(folder, "to"), ""); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%v, %v; want %v", info, err, mode)
		}
	}
}
