package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// AsideOut moves a file out of a folder, into a private folder beside the folder. There
// the file keeps its name, and its path below the folder. AsideOut serves folders whose
// reader reads every file, whatever its name is. If the file does not exist, to is empty.
// Without Replace, the file is [InTheWay]. No link leads AsideOut out of the parent folder.
func (m *Mover) AsideOut(folder, path string) (to string, err error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if !m.Replace {
		return "", &InTheWay{Path: path}
	}
	name, err := filepath.Rel(folder, path)
	if err != nil {
		return "", err
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(filepath.Dir(folder))
	if err != nil {
		return "", err
	}
	defer root.Close()
	from := filepath.Join(filepath.Base(folder), name)
	to = filepath.Join(asideName(filepath.Base(folder), func(aside string) bool {
		_, err := root.Lstat(filepath.Join(aside, name))
		return !errors.Is(err, fs.ErrNotExist)
	}), name)
	if err := root.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	return filepath.Join(root.Name(), to), root.Rename(from, to)
}
