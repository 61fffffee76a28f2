package disk

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// copyInto copies a file to a temporary name in an open folder, then links the new name
// to the copy. A link, unlike a rename, replaces nothing. Nobody else can guess the
// temporary name. A killed run may leave a copy, which copyInto removes.
func (m *Mover) copyInto(place *os.Root, from, name string, uid, gid int) error {
	temp := ".holdfast-" + m.Run
	if err := place.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer place.Remove(temp)
	if err := copyFile(from, place, temp, uid, gid); err != nil {
		return err
	}
	return place.Link(temp, name)
}

func copyFile(from string, place *os.Root, name string, uid, gid int) error {
	if link, err := os.Readlink(from); err == nil {
		return copyLink(from, link, place, name, uid, gid)
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
	out, err := place.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := copySparse(out, in); err != nil {
		return err
	}
	err = errors.Join(out.Chown(uid, gid), out.Chmod(info.Mode().Perm()), out.Sync(), out.Close())
	if err != nil {
		return err
	}
	return setTime(place, name, info)
}

func copyLink(from, link string, place *os.Root, name string, uid, gid int) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := errors.Join(place.Symlink(link, name), place.Lchown(name, uid, gid)); err != nil {
		return err
	}
	return setTime(place, name, info)
}

// setTime sets the time of a file to the time of another file, without following links.
func setTime(place *os.Root, name string, like fs.FileInfo) error {
	folder, err := place.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	at := unix.NsecToTimespec(like.ModTime().UnixNano())
	return unix.UtimesNanoAt(int(folder.Fd()), name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// SameBytes reports whether two files hold the same bytes, or are symbolic links with
// the same target. A missing file b differs from every file.
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
	fileB, err := Open(b) // another user may put a pipe there
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
