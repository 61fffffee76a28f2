package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/disk"
)

// plaintextPattern names the folders with plain text for a reader. The process
// that uses such a folder holds the folder's lock. A folder without a lock
// belongs to a killed run, or is so new that its run has yet to lock it.
const plaintextPattern = "holdfast-read-*"

// makePlaintext makes a folder that only this user can enter, and locks the
// folder until lock is closed. The sweep of another run may remove a new folder
// before the lock: then makePlaintext makes another folder.
func makePlaintext(temp string) (dir string, lock *os.File, err error) {
	const tries = 100
	for range tries {
		if dir, err = os.MkdirTemp(temp, plaintextPattern); err != nil {
			return "", nil, err
		}
		if lock, err = lockPlaintext(dir); err == nil {
			return dir, lock, nil
		}
		if !errors.Is(err, disk.ErrLocked) && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, errors.Join(err, os.Remove(dir))
		}
	}
	return "", nil, err
}

// lockPlaintext locks a new folder. If a sweep removed the folder, the error is
// fs.ErrNotExist.
func lockPlaintext(dir string) (*os.File, error) {
	lock, err := disk.LockFolder(dir)
	if err != nil {
		return nil, err
	}
	named, err := os.Lstat(dir)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	held, err := lock.Stat()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if !os.SameFile(named, held) {
		return nil, errors.Join(fs.ErrNotExist, lock.Close())
	}
	return lock, nil
}

// sweepPlaintext removes this user's folders without a lock: plain text of
// killed runs. Errors are ignored: a folder that can't be removed keeps nobody
// from reading a snapshot.
func sweepPlaintext(temp string) {
	dirs, err := filepath.Glob(filepath.Join(temp, plaintextPattern))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || disk.FileUser(info) != os.Geteuid() {
			continue
		}
		if lock, err := disk.LockFolder(dir); err == nil {
			os.RemoveAll(dir)
			lock.Close()
		}
	}
}
