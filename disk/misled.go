package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Misled reports a symbolic link by which another user leads this user into a folder of
// a third user.
type Misled struct {
	Link       string
	LinkUser   int
	Folder     string // the end of the way
	FolderUser int
}

func (e *Misled) Error() string {
	return fmt.Sprintf("the link %s belongs to %s, and leads to %s, a folder of %s", e.Link, UserName(e.LinkUser),
		e.Folder, UserName(e.FolderUser))
}

// CheckWay returns [Misled] if a write to path would follow a misleading link. The links
// of root and of this user may lead anywhere, and links of other users to folders of the
// same user. path itself does not count. A missing folder is no error.
func CheckWay(path string) error {
	_, err := lastFolder(Nearest(filepath.Dir(path)))
	return err
}

// openPlace opens a folder in which this user makes files. openPlace returns [Misled]
// like [CheckWay]. Another user can exchange links at any time: all writes go through
// the open folder.
func openPlace(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	opened, err := root.Stat(".")
	if err == nil {
		var checked fs.FileInfo
		if checked, err = lastFolder(dir); err == nil && !os.SameFile(opened, checked) {
			err = fmt.Errorf("another user exchanges %s during the restore", dir)
		}
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// lastFolder describes the folder at the end of a way, or returns [Misled].
func lastFolder(dir string) (fs.FileInfo, error) {
	root, err := os.Open("/")
	if err != nil {
		return nil, err
	}
	w, err := follow(root, dir)
	if err != nil {
		return nil, err
	}
	defer w.folder.Close()
	if w.name != "" {
		return nil, &os.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	info, err := w.folder.Stat()
	if err != nil {
		return nil, err
	}
	for _, link := range w.links {
		isForeign := link.user != 0 && link.user != os.Geteuid()
		if uid := FileUser(info); isForeign && uid != link.user {
			return nil, &Misled{Link: link.path, LinkUser: link.user, Folder: w.folder.Name(), FolderUser: uid}
		}
	}
	return info, nil
}
