package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
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

// lastFolder follows each link on the way to a folder, and describes the folder.
func lastFolder(dir string) (fs.FileInfo, error) {
	at, err := os.Open("/")
	if err != nil {
		return nil, err
	}
	defer func() { at.Close() }()
	var foreign []Misled
	links := 0
	for rest := strings.Split(filepath.Clean(dir), "/"); len(rest) > 0; {
		name := rest[0]
		if rest = rest[1:]; name == "" || name == "." {
			continue
		}
		next, err := openAt(at, name, unix.O_PATH)
		if err != nil {
			return nil, err
		}
		info, err := next.Stat()
		if err == nil && info.IsDir() {
			at.Close()
			at = next
			continue
		}
		if err == nil && info.Mode()&os.ModeSymlink == 0 {
			err = &os.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
		}
		if links++; err == nil && links > maxFollowed {
			err = &os.PathError{Op: "open", Path: dir, Err: syscall.ELOOP}
		}
		text := ""
		if err == nil {
			text, err = linkText(next)
		}
		next.Close()
		if err != nil {
			return nil, err
		}
		if uid := FileUser(info); uid != 0 && uid != os.Geteuid() {
			foreign = append(foreign, Misled{Link: next.Name(), LinkUser: uid})
		}
		if filepath.IsAbs(text) {
			at.Close()
			if at, err = os.Open("/"); err != nil {
				return nil, err
			}
		}
		rest = append(strings.Split(text, "/"), rest...)
	}
	info, err := at.Stat()
	if err != nil {
		return nil, err
	}
	for _, link := range foreign {
		if uid := FileUser(info); uid != link.LinkUser {
			link.Folder, link.FolderUser = at.Name(), uid
			return nil, &link
		}
	}
	return info, nil
}
