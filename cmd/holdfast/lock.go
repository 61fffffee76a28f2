package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// holder is who holds the state folder.
type holder struct {
	PID   int       `json:"pid"`
	Verb  string    `json:"verb"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// lock takes the state folder for one verb, and makes it where it is missing.
// The kernel lets go of the lock when the process ends, however it ends.
func (a *app) lock(verb string) (unlock func() error, err error) {
	if err := os.MkdirAll(a.state, 0o700); err != nil {
		return nil, &problem{exit: exitUnexpected, err: fmt.Errorf("make state folder: %w", err),
			fix: "run Holdfast as the user who owns it, or name another by --state"}
	}
	f, err := os.OpenFile(filepath.Join(a.state, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &problem{exit: exitUnexpected, err: fmt.Errorf("lock state folder: %w", err),
			fix: "run Holdfast as the user who owns it, or name another by --state"}
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return nil, busy(f, a.state)
	}
	if err == nil {
		err = sign(f, verb)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %q: %w", f.Name(), err), f.Close())
	}
	return func() error { return errors.Join(handBack(a.state), f.Close()) }, nil
}

// handBack gives what root made in a folder to the folder's owner: one run by
// root must not keep that user's runs from their own state.
func handBack(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var owner, have unix.Stat_t
	if err := unix.Stat(dir, &owner); err != nil || owner.Uid == 0 {
		return err
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = unix.Lstat(path, &have)
		}
		if err != nil || have.Uid != 0 {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}

// sign writes into the lock who holds it.
func sign(f *os.File, verb string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	text, err := json.Marshal(holder{os.Getpid(), verb, host, time.Now().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	return err
}

func busy(f *os.File, state string) error {
	by, ok := signed(f)
	// Its owner may be about to sign it.
	for tries := 0; !ok && tries < 20; tries++ {
		time.Sleep(50 * time.Millisecond)
		by, ok = signed(f)
	}
	if !ok {
		return &problem{exit: exitBusy, err: fmt.Errorf("another holdfast holds %s, and doesn't say which", state), fix: "wait until it ends"}
	}
	return &problem{
		exit: exitBusy,
		err: fmt.Errorf("%s is held by holdfast %s, process %d on %s, since %s (%s)",
			state, by.Verb, by.PID, by.Host, stamp(by.Since), elapsed(by.Since)),
		fix: fmt.Sprintf("wait until it ends; if it hangs, kill %d: the next run goes on from there", by.PID),
	}
}

// signed reads who holds the lock. What a process left that has ended is no
// signature: the one who holds it now is not to be killed under that number.
func signed(f *os.File) (by holder, ok bool) {
	text := make([]byte, 4<<10)
	n, err := f.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return by, false
	}
	if err := json.Unmarshal(text[:n], &by); err != nil || by.PID < 1 {
		return by, false
	}
	here, err := os.Hostname()
	ended := err == nil && here == by.Host && errors.Is(unix.Kill(by.PID, 0), unix.ESRCH)
	return by, !ended
}
