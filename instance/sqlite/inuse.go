package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"holdfast/disk"
)

// Users returns the other processes that use a database: they have one of its files
// open, or hold a lock of SQLite. A lock also shows a process that /proc does not show,
// for example in another container. This process must have no connection to the
// database: the end of Users drops the locks of such a connection.
func Users(path string) (users []disk.Process, err error) {
	var files []fs.FileInfo
	for _, ending := range databaseFiles {
		if info, err := os.Stat(path + ending); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	users = disk.FileOpeners(files)
	for _, lock := range databaseLocks {
		holder, err := lock.holder(path)
		if err != nil {
			return nil, err
		}
		known := holder == nil || holder.ID == 0 && len(users) > 0 ||
			slices.ContainsFunc(users, func(p disk.Process) bool { return p.ID == holder.ID })
		if !known {
			users = append(users, *holder)
		}
	}
	return users, nil
}

// lockRange is where SQLite locks a file.
type lockRange struct {
	ending     string
	start, len int64
}

// databaseLocks are the locks of a connection: PENDING, RESERVED and SHARED of the
// database (os.h of SQLite), and the locks of the log's index (walformat.html).
var databaseLocks = []lockRange{{"", 0x40000000, 512}, {"-shm", 120, 9}}

// holder returns a process that holds the lock, or nil.
func (l lockRange) holder(path string) (*disk.Process, error) {
	f, err := disk.Open(path + l.ending)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: l.start, Len: l.len}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock)
	if err != nil || lock.Type == unix.F_UNLCK || int(lock.Pid) == os.Getpid() {
		return nil, nil // free, or a file system without locks
	}
	holder := disk.LookUp(int(lock.Pid))
	return &holder, nil
}
