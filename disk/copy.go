package disk

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// copyBeside copies a file to a temporary name in the new folder, then links the new
// name to the copy. A link, unlike a rename, replaces nothing. Nobody else can guess
// the temporary name. A killed run may leave a copy, which copyBeside removes.
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
	if err := copySparse(out, in); err != nil {
		return err
	}
	err = errors.Join(out.Chown(uid, gid), out.Chmod(info.Mode().Perm()), out.Sync(), out.Close())
	if err != nil {
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

// setTime sets the time of path to the time of another file, without following links.
func setTime(path string, like fs.FileInfo) error {
	at := unix.NsecToTimespec(like.ModTime().UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
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
