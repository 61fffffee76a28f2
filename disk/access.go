package disk

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Access is a set of rights, as in access(2).
type Access uint32

// The rights of a user to a file or folder.
const (
	// Reach is the right to open the files of a folder.
	Reach Access = unix.X_OK
	// Fill is the right to make files in a folder.
	Fill Access = unix.W_OK | unix.X_OK
	// Read is the right to read a file.
	Read Access = unix.R_OK
	// Change is the right to read and write a file.
	Change Access = unix.R_OK | unix.W_OK
)

// Nobody is the number of the user without rights.
const Nobody = 65534

// CheckAccess returns why "USER:GROUP" has no right to a path, or nil. The folders above
// the path and access lists count. A user who does not exist yet has the rights of
// others. A process without root can only ask for itself, whatever the name.
func CheckAccess(name, path string, want Access) (err error) {
	denied := func(err error) error {
		if err == nil {
			return nil
		}
		return &fs.PathError{Op: "access", Path: path, Err: err}
	}
	if os.Geteuid() != 0 || name == "" {
		return denied(unix.Access(path, uint32(want)))
	}
	uid, gid, err := IDs(name)
	if err != nil {
		uid, gid = Nobody, Nobody
	}
	was, err := unix.Getgroups()
	if err != nil {
		return err
	}
	// The numbers below belong to this thread alone, and to its access to files.
	runtime.LockOSThread()
	defer func() {
		_, uidErr := unix.SetfsuidRetUid(os.Geteuid())
		_, gidErr := unix.SetfsgidRetGid(os.Getegid())
		if reset := errors.Join(uidErr, gidErr, unix.Setgroups(was)); reset != nil {
			err = reset
			return // the thread keeps the lock, and ends with the goroutine
		}
		runtime.UnlockOSThread()
	}()
	if err := unix.Setgroups(append(moreGroups(uid), gid)); err != nil {
		return err
	}
	if _, err := unix.SetfsgidRetGid(gid); err != nil {
		return err
	}
	if _, err := unix.SetfsuidRetUid(uid); err != nil {
		return err
	}
	return denied(unix.Faccessat(unix.AT_FDCWD, path, uint32(want), unix.AT_EACCESS))
}

// moreGroups are the groups of a user from the machine's group file.
func moreGroups(uid int) (groups []int) {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return nil
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			groups = append(groups, n)
		}
	}
	return groups
}

// systemFolders belong to the system, whatever they hold.
var systemFolders = []string{
	"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/srv",
	"/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/share", "/var", "/var/backups", "/var/cache",
	"/var/lib", "/var/log", "/var/mail", "/var/opt", "/var/spool", "/var/tmp", "/var/www",
}

// IsSystems reports whether a folder belongs to the system, whatever the folder holds.
func IsSystems(folder string) bool { return slices.Contains(systemFolders, folder) }
