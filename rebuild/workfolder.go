package rebuild

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/disk"
	"holdfast/rebuild/machine"
	"holdfast/remedy"
)

// workFolder is the folder for the journal and the fetched instance of a run.
type workFolder struct {
	path     string
	searched []string // folders in which an unfinished run was looked for
	lock     *os.File // nil if the folder does not exist yet
}

// findWorkFolder chooses the work folder. In a person's folder the work folder is a
// folder of its own.
func findWorkFolder(m *machine.Machine, o Options) (*workFolder, error) {
	if o.Work != "" {
		path := filepath.Join(o.Work, workFolderName(m.Domain))
		return &workFolder{path: path, searched: []string{path}}, nil
	}
	near, err := m.Near(o.State)
	if err != nil {
		return nil, err
	}
	return workFolderNear(near, m.Domain), nil
}

func workFolderName(domain string) string { return ".holdfast-" + domain }

// workFolderNear looks for the work folder in dir, and then in the folders above. The
// nearest guarded folder serves best: a rename from the same disk moves the media. The
// work folder of an unfinished run comes before a nearer folder. If no folder is guarded, the
// result is the nearest folder, and lockFolder refuses the folder.
func workFolderNear(dir, domain string) *workFolder {
	w := new(workFolder)
	nearest := ""
	for ; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, workFolderName(domain))
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			nearest = cmp.Or(nearest, path)
			if checkGuarded(dir) == nil {
				w.path = cmp.Or(w.path, path)
				w.searched = append(w.searched, path)
				if _, err := os.Stat(filepath.Join(path, journalName)); err == nil {
					return &workFolder{path: path, searched: []string{path}}
				}
			}
		}
		if dir == "/" {
			w.path = cmp.Or(w.path, nearest)
			return w
		}
	}
}

func (w *workFolder) journalFile() string { return filepath.Join(w.path, journalName) }

// searchedPaths lists the searched folders for a person.
func (w *workFolder) searchedPaths() string { return strings.Join(w.searched, ", ") }

// lockExisting locks the folder. A missing folder is not an error.
func (w *workFolder) lockExisting() (err error) {
	if w.lock, err = lockFolder(w.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// create makes and locks the folder, unless the folder is locked already.
func (w *workFolder) create() (err error) {
	if w.lock != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(w.path), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(w.path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	w.lock, err = lockFolder(w.path)
	return err
}

// hasStrangers reports whether the folder holds anything besides a journal. A run
// killed during the first write of the journal leaves only the unfinished journal.
func (w *workFolder) hasStrangers() bool {
	entries, err := os.ReadDir(w.path)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return !strings.HasPrefix(e.Name(), journalName)
	})
}

// remove removes the journal and the folder. If other files are in the folder, stray
// is true and the folder stays.
func (w *workFolder) remove() (stray bool, err error) {
	if err := errors.Join(os.Remove(w.journalFile()), os.RemoveAll(w.journalFile()+disk.PartSuffix)); err != nil {
		return false, err
	}
	err = os.Remove(w.path)
	if errors.Is(err, unix.ENOTEMPTY) {
		return true, nil
	}
	return false, err
}

// close releases the lock.
func (w *workFolder) close() error {
	if w.lock == nil {
		return nil
	}
	return w.lock.Close()
}

// lockFolder locks a work folder until the file is closed. The folder will hold the
// whole instance in plain text, and root acts by the folder's journal. So lockFolder
// refuses a folder if a different user can enter or replace the folder, even before the
// folder exists.
func lockFolder(dir string) (*os.File, error) {
	if err := checkGuarded(filepath.Dir(dir)); err != nil {
		if p, ok := err.(*remedy.Error); ok {
			p.Fix += ", or name another folder by --work"
		}
		return nil, err
	}
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, fs.ErrPermission) {
		return nil, refuseFolder("%s is not a folder of this user", dir)
	}
	if err != nil {
		return nil, err
	}
	if err := lockPrivate(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lockPrivate locks an open, private folder.
func lockPrivate(f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case disk.FileUser(info) != os.Geteuid():
		return refuseFolder("%s belongs to another user", f.Name())
	case info.Mode().Perm()&0o077 != 0:
		return refuseFolder("%s is open to other users (mode %04o)", f.Name(), info.Mode().Perm())
	}
	err = disk.Lock(f)
	if errors.Is(err, disk.ErrLocked) {
		return &remedy.Error{Kind: remedy.Busy, What: "another restore is running in " + f.Name(),
			Fix: "wait until it ends"}
	}
	return err
}

func refuseFolder(what string, args ...any) error {
	return &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf(what, args...),
		Fix: "name a folder of your own by --work, or move that one away"}
}

// checkGuarded is [disk.CheckGuarded], with a fix.
func checkGuarded(dir string) error {
	err := disk.CheckGuarded(dir)
	var unguarded *disk.Unguarded
	if !errors.As(err, &unguarded) {
		return err
	}
	fix := []string{"chmod", "go-w", unguarded.Path}
	if unguarded.User >= 0 {
		fix = []string{"chown", strconv.Itoa(os.Geteuid()), unguarded.Path}
	}
	return &remedy.Error{Kind: remedy.Refused, What: unguarded.Error(), Fix: remedy.ShellLine(fix)}
}
