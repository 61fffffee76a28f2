package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Folder is a folder that files of a restore need.
type Folder struct {
	Mode   fs.FileMode // open enough for each file below
	User   string      // "USER:GROUP" of all files below
	Shared bool        // files of several users lie below
	Known  bool        // the snapshot has the mode and the user of the folder itself
}

// open is the mode of a folder that everybody may list.
const open fs.FileMode = 0o755

// FolderMode returns the mode of a folder that is as private as a file: 0700 for 0600.
func FolderMode(file fs.FileMode) fs.FileMode { return 0o700 | file&0o044 | file&0o044>>2 }

// With returns the folder with room for one more file or folder.
func (f Folder) With(mode fs.FileMode, user string) Folder {
	shared := f.Shared || f.Mode != 0 && f.User != user
	return Folder{Mode: f.Mode | mode, User: user, Shared: shared}
}

// MakeFolder makes a folder and its missing parents.
func (m *Mover) MakeFolder(dir string) error { return m.makeFolder(dir, open) }

// MakePrivateFolder is [Mover.MakeFolder] for a folder with a mode of its own.
func (m *Mover) MakePrivateFolder(dir string, mode fs.FileMode) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := m.MakeFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	return m.makeOne(dir, Folder{Mode: mode})
}

// makeFolder makes a folder and its missing parents. mode is for those that [Mover.Folders]
// does not describe. An existing folder keeps its user and mode. Folders that the server
// writes to belong to the server's user. A private folder belongs to the user of all its
// files. All others belong to the user of this process: nobody else may replace the files in
// them.
func (m *Mover) makeFolder(dir string, mode fs.FileMode) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := m.makeFolder(filepath.Dir(dir), mode); err != nil {
		return err
	}
	folder, ok := m.Folders[dir]
	if !ok {
		folder.Mode = mode
	}
	return m.makeOne(dir, folder)
}

// PutFolder is [Mover.MakeFolder] for a folder of the snapshot. A file in its place is
// [InTheWay].
func (m *Mover) PutFolder(dir string) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return &InTheWay{Path: dir, Detail: "is a file; the snapshot has a folder there"}
	}
	return m.MakeFolder(dir)
}

func (m *Mover) makeOne(dir string, folder Folder) error {
	user, mode := "", folder.Mode
	switch {
	case m.serverWrites(dir):
		user = m.User
	case folder.Known:
		user = folder.User
		if os.Geteuid() != 0 {
			mode |= 0o700 // files follow
		}
	case mode&open == open:
	case folder.Shared:
		mode |= 0o011 // each user can reach the own files, and list nothing
	default:
		user = folder.User
	}
	uid, gid, err := m.ids(user)
	if err != nil {
		return err
	}
	return m.appear(dir, uid, gid, mode)
}

// appear makes a folder that has its user and its mode at once, whatever the umask is. A killed
// run leaves only the temporary name.
func (m *Mover) appear(dir string, uid, gid int, mode fs.FileMode) error {
	place, err := openPlace(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer place.Close()
	temp := ".holdfast-" + m.Run
	if err := place.Mkdir(temp, 0o700); err != nil && !errors.Is(err, fs.ErrExist) { // of a killed run
		return err
	}
	parent, err := place.Open(".")
	if err != nil {
		return err
	}
	defer parent.Close()
	made, err := openAt(parent, temp, os.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer made.Close()
	// The user of parent may have put another folder there, such as a folder of root.
	if names, err := made.Readdirnames(1); !errors.Is(err, io.EOF) {
		return fmt.Errorf("make %s: another user put %q into %s: %w", dir, names, made.Name(), err)
	}
	if err := errors.Join(made.Chown(uid, gid), made.Chmod(mode)); err != nil {
		return err
	}
	fd := int(parent.Fd())
	err = unix.Renameat2(fd, temp, fd, filepath.Base(dir), unix.RENAME_NOREPLACE)
	if lacksNoReplace(err) { // the rename of a folder replaces no file and no link
		err = place.Rename(temp, filepath.Base(dir))
	}
	if errors.Is(err, fs.ErrExist) { // makeFolder saw no folder, so a link leads nowhere
		return errors.Join(fmt.Errorf("%s is a link that leads nowhere", dir), place.Remove(temp))
	}
	return err
}

// CloseToOthers takes the rights of all other users from a file below root. A missing
// file is no error.
func CloseToOthers(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = root.Chmod(name, info.Mode().Perm()&^0o007)
	}
	return err
}
