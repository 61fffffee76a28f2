package disk

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Mover moves restored files to their places on this machine. A run that was
// interrupted can repeat each step.
type Mover struct {
	Run     string // a random word, the same if a run continues
	User    string // "USER:GROUP" of the server; with "" files belong to the user who restores
	Replace bool   // rename aside the files in the way

	// Own are the folders that the server writes to. OwnTrees are the folders in which
	// the server also makes folders. An empty string counts as no folder.
	Own, OwnTrees []string
}

// AsideSuffix ends the new name of a file that was in the way.
const AsideSuffix = ".before-restore"

// InTheWay reports a file in the place of a restored file. It is an [fs.ErrExist].
type InTheWay struct{ Path string }

func (e *InTheWay) Error() string { return e.Path + " is there already" }

// Is makes the error an fs.ErrExist.
func (e *InTheWay) Is(target error) bool { return target == fs.ErrExist }

// Chown gives a file to the server. Without root Chown does nothing.
func (m *Mover) Chown(path string) error {
	uid, gid, err := m.ids(m.User)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

// Lchown is [Mover.Chown] for a link itself.
func (m *Mover) Lchown(path string) error {
	uid, gid, err := m.ids(m.User)
	if err != nil {
		return err
	}
	return os.Lchown(path, uid, gid)
}

// ids returns the numbers of "USER:GROUP", or -1 to leave a file as it is. Only root
// can give files to others.
func (m *Mover) ids(name string) (uid, gid int, err error) {
	if name == "" || os.Geteuid() != 0 {
		return -1, -1, nil
	}
	return IDs(name)
}

// servers reports whether the server writes to a folder.
func (m *Mover) servers(dir string) bool {
	return slices.Contains(m.Own, dir) ||
		slices.ContainsFunc(m.OwnTrees, func(folder string) bool {
			return folder != "" &&
				strings.HasPrefix(dir+"/", folder+"/")
		})
}

// MakeFolder makes a folder and the missing folders above it, with mode 0755. Folders
// that the server writes to belong to its user, all others to the user who restores.
// A private file stays private by its own mode.
func (m *Mover) MakeFolder(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := m.MakeFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if !m.servers(dir) {
		return nil
	}
	uid, gid, err := m.ids(m.User)
	if err != nil {
		return err
	}
	return os.Lchown(dir, uid, gid) // another user may have put a link there
}

// Aside renames the files with the endings at path, if Replace is set. All get names
// that belong together: a database without its log would lack the last commits. to is
// the new name of path, or "" if nothing is there.
func (m *Mover) Aside(path string, endings ...string) (to string, err error) {
	stands := func(path string) bool { _, err := os.Lstat(path); return !errors.Is(err, fs.ErrNotExist) }
	endings = slices.DeleteFunc(slices.Clone(endings), func(ending string) bool { return !stands(path + ending) })
	switch {
	case len(endings) == 0:
		return "", nil
	case !m.Replace:
		return "", &InTheWay{Path: path + endings[0]}
	}
	to = path + AsideSuffix
	for n := 2; slices.ContainsFunc(endings, func(ending string) bool { return stands(to + ending) }); n++ {
		to = path + AsideSuffix + strconv.Itoa(n)
	}
	// The file itself comes last: a repeated run then finds the same new name.
	for _, ending := range slices.Backward(endings) {
		if err := os.Rename(path+ending, to+ending); err != nil {
			return "", err
		}
	}
	return to, nil
}

// Move renames a file or link, or copies it to another disk, and gives it to the user.
// The new name never shows a partial file. Move overwrites nothing: if the place has
// the same bytes already, Move removes the source, else it returns [InTheWay].
func (m *Mover) Move(from, to, user string) error {
	uid, gid, err := m.ids(user)
	if err != nil {
		return err
	}
	if err := m.MakeFolder(filepath.Dir(to)); err != nil {
		return err
	}
	if err := os.Lchown(from, uid, gid); err != nil {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) {
		if err = m.copyBeside(from, to, uid, gid); err == nil {
			err = os.Remove(from)
		}
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if same, err := SameBytes(from, to); err != nil {
		return err
	} else if !same {
		return &InTheWay{Path: to}
	}
	return os.Remove(from)
}

// copyBeside copies a file to a temporary name first, and then links the file to its
// own name: unlike a rename, a link overwrites nothing. Other users may write to the
// folder, but can't guess the temporary name. A file that an interrupted run left
// there is removed.
func (m *Mover) copyBeside(from, to string, uid, gid int) error {
	temp := filepath.Join(filepath.Dir(to), ".holdfast-"+m.Run)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer os.Remove(temp)
	if err := copyFile(from, temp, uid, gid); err != nil {
		return err
	}
	return os.Link(temp, to)
}

func copyFile(from, to string, uid, gid int) error {
	if link, err := os.Readlink(from); err == nil {
		return copyLink(from, link, to, uid, gid)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := errors.Join(out.Chown(uid, gid), out.Chmod(info.Mode().Perm()), out.Sync(), out.Close()); err != nil {
		return err
	}
	return setTime(to, info)
}

func copyLink(from, link, to string, uid, gid int) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := errors.Join(os.Symlink(link, to), os.Lchown(to, uid, gid)); err != nil {
		return err
	}
	return setTime(to, info)
}

// setTime sets the time of a file or of a link itself.
func setTime(path string, like fs.FileInfo) error {
	at := unix.NsecToTimespec(like.ModTime().UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// SameBytes reports whether two files hold the same bytes, or two links the same
// target.
func SameBytes(a, b string) (bool, error) {
	if link, err := os.Readlink(a); err == nil {
		there, err := os.Readlink(b)
		return err == nil && there == link, nil
	}
	infoA, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	infoB, err := os.Lstat(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !infoB.Mode().IsRegular() || infoA.Size() != infoB.Size() {
		return false, err
	}
	fileA, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer fileA.Close()
	fileB, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer fileB.Close()
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(fileA, bufA)
		m, errB := io.ReadFull(fileB, bufB)
		if n != m || !bytes.Equal(bufA[:n], bufB[:m]) {
			return false, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return true, nil
		}
		if err = cmp.Or(err, errB); err != nil {
			return false, err
		}
	}
}
