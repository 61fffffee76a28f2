package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked reports that another process holds a lock.
var ErrLocked = errors.New("another process holds the lock")

// Lock takes an open file or folder for this process alone, and returns [ErrLocked]
// at once if another process holds it. The kernel releases the lock when f is
// closed or the process ends, however it ends.
func Lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// LockFolder opens and locks a folder. Closing the returned file releases the lock.
// A symbolic link is not followed.
func LockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := Lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
