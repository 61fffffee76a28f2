package disk

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Mover moves restored files to their final paths on this machine. The same run can
// repeat each step.
type Mover struct {
	Run     string // a random word; a resumed run has the same word
	User    string // "USER:GROUP" of the server; empty: files keep the user of this process
	Replace bool   // rename obstacles aside

	// Own holds the folders that the server writes to. OwnTrees holds the folders in
	// which the server also makes folders. Empty strings are ignored.
	Own, OwnTrees []string

	// Folders describes folders that the run makes if they are missing. Other folders get mode
	// 0755, or are as private as the first file in them.
	Folders map[string]Folder
}

// AsideSuffix ends the name of a file that [Mover.Aside] renamed.
const AsideSuffix = ".before-restore"

// InTheWay reports a file at the final path of a restored file, or a database with the
// final name. Renaming it aside, by [Mover.Replace], helps. errors.Is takes an InTheWay
// for [fs.ErrExist].
type InTheWay struct {
	Path   string
	Detail string // follows Path in the text; default: "is there already"
}

func (e *InTheWay) Error() string { return e.Path + " " + cmp.Or(e.Detail, "is there already") }

// Is reports whether target is [fs.ErrExist].
func (e *InTheWay) Is(target error) bool { return target == fs.ErrExist }

// GiveFolder gives a folder to the server's user. Without root, GiveFolder changes
// nothing.
func (m *Mover) GiveFolder(path string) error {
	uid, gid, err := m.ids(m.User)
	if err != nil {
		return err
	}
	if CheckGuarded(filepath.Dir(path)) == nil {
		return os.Chown(path, uid, gid)
	}
	place, err := openPlace(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer place.Close()
	return place.Lchown(filepath.Base(path), uid, gid) // another user may have put a link there
}

// ids returns the numbers of "USER:GROUP" for chown. Without root both are -1, which
// changes nothing.
func (m *Mover) ids(name string) (uid, gid int, err error) {
	if name == "" || os.Geteuid() != 0 {
		return -1, -1, nil
	}
	return IDs(name)
}

// serverWrites reports whether the server writes to a folder.
func (m *Mover) serverWrites(dir string) bool {
	inTree := func(tree string) bool { return tree != "" && strings.HasPrefix(dir+"/", tree+"/") }
	return slices.Contains(m.Own, dir) || slices.ContainsFunc(m.OwnTrees, inTree)
}

// Aside renames the files path+ending to to+ending, for each ending that exists.
// The files stay together, because a database without its log lacks the last
// commits. If no file exists, to is empty. Without Replace, an existing file is
// [InTheWay].
func (m *Mover) Aside(path string, endings ...string) (to string, err error) {
	place, err := openPlace(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer place.Close()
	name := filepath.Base(path)
	exists := func(name string) bool { _, err := place.Lstat(name); return !errors.Is(err, fs.ErrNotExist) }
	endings = slices.DeleteFunc(slices.Clone(endings), func(ending string) bool { return !exists(name + ending) })
	switch {
	case len(endings) == 0:
		return "", nil
	case !m.Replace:
		return "", &InTheWay{Path: path + endings[0]}
	}
	aside := asideName(name, func(aside string) bool {
		return slices.ContainsFunc(endings, func(ending string) bool { return exists(aside + ending) })
	})
	// path itself comes last, so that a run after a kill chooses the same name.
	for _, ending := range slices.Backward(endings) {
		if err := place.Rename(name+ending, aside+ending); err != nil {
			return "", err
		}
	}
	return filepath.Join(filepath.Dir(path), aside), nil
}

// asideName returns the first name with [AsideSuffix], and then with a number, that is not
// taken.
func asideName(name string, taken func(aside string) bool) string {
	aside := name + AsideSuffix
	for n := 2; taken(aside); n++ {
		aside = name + AsideSuffix + strconv.Itoa(n)
	}
	return aside
}

// Move renames a file, or copies the file to another disk, and gives the file to
// "USER:GROUP". The new name never shows a part of a file. Move overwrites nothing:
// a different file at the new path is [InTheWay], an equal one is kept.
func (m *Mover) Move(from, to, user string) error {
	uid, gid, err := m.ids(user)
	if err != nil {
		return err
	}
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := m.makeFolder(filepath.Dir(to), FolderMode(info.Mode())); err != nil {
		return err
	}
	place, err := openPlace(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer place.Close()
	if err := os.Lchown(from, uid, gid); err != nil {
		return err
	}
	err = renameInto(place, from, filepath.Base(to))
	if errors.Is(err, syscall.EXDEV) || lacksNoReplace(err) {
		if err = m.copyInto(place, from, filepath.Base(to), uid, gid); err == nil {
			err = removeMoved(place, from)
		}
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	same, err := SameBytes(from, to)
	if err != nil {
		return err
	}
	if !same {
		return &InTheWay{Path: to}
	}
	return removeMoved(place, from)
}

// lacksNoReplace reports whether a file system, such as NFS or an older ZFS, lacks renames
// that replace nothing.
func lacksNoReplace(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS)
}

// removeMoved removes a file whose copy has the final name in an open folder. The name
// becomes durable first: a resumed run takes a missing file for a file in its place.
func removeMoved(place *os.Root, from string) error {
	folder, err := place.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := SyncOpenFolder(folder); err != nil {
		return err
	}
	return os.Remove(from)
}

// renameInto renames a file of this user into an open folder, and overwrites nothing.
func renameInto(place *os.Root, from, name string) error {
	folder, err := place.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	return unix.Renameat2(unix.AT_FDCWD, from, int(folder.Fd()), name, unix.RENAME_NOREPLACE)
}
