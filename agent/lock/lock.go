// Package lock keeps a state folder for one job at a time. The lock file names the job.
package lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/disk"
	"holdfast/internal/units"
	"holdfast/remedy"
)

// holder is the content of the lock file: the process with the lock.
type holder struct {
	PID     int       `json:"pid"`
	Job     string    `json:"verb"`
	Machine string    `json:"host"`
	Since   time.Time `json:"since"`
}

// Take locks a state folder for one job, and makes a missing folder. An error of kind
// [remedy.Busy] names the job with the lock. The kernel releases the lock when the process
// ends, even by a kill.
func Take(folder, job string) (release func() error, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, explain("make state folder", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, unix.ELOOP) {
		return nil, &remedy.Error{Kind: remedy.Refused, What: "lock state folder", Err: err,
			Effect: "nothing was changed", Fix: "find out who made the link, and remove it"}
	}
	if err != nil {
		return nil, explain("lock state folder", err)
	}
	err = disk.Lock(f)
	if errors.Is(err, disk.ErrLocked) {
		defer f.Close()
		return nil, busy(folder, f)
	}
	if err == nil {
		err = sign(f, job)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %q: %w", f.Name(), err), f.Close())
	}
	return func() error {
		if err := f.Close(); err != nil {
			return fmt.Errorf("unlock state folder: %w", err)
		}
		return nil
	}, nil
}

// explain adds a fix to an error of the state folder. A full or read-only disk has a fix of
// its own.
func explain(what string, err error) error {
	for _, ofDisk := range []error{unix.ENOSPC, unix.EDQUOT, unix.EROFS} {
		if errors.Is(err, ofDisk) {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return &remedy.Error{What: what, Err: err,
		Fix: "run Holdfast as the user who owns the folder, or name another folder by --state"}
}

// sign writes this process into the lock file.
func sign(f *os.File, job string) error {
	machine, err := os.Hostname()
	if err != nil {
		machine = "this host"
	}
	text, err := json.Marshal(holder{os.Getpid(), job, machine, time.Now().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	return err
}

// busy names the holder of the lock.
func busy(folder string, f *os.File) error {
	by, ok := readHolder(f)
	// The holder may be about to sign.
	for tries := 0; !ok && tries < 20; tries++ {
		time.Sleep(50 * time.Millisecond)
		by, ok = readHolder(f)
	}
	if !ok {
		return &remedy.Error{Kind: remedy.Busy, What: "another process holds the lock of " + folder,
			Fix: "wait until the other process ends; fuser " + f.Name() + " prints its number"}
	}
	return &remedy.Error{
		Kind: remedy.Busy,
		What: fmt.Sprintf("holdfast %s holds the lock of %s: process %d on %s, since %s (%s)",
			by.Job, folder, by.PID, by.Machine, units.Time(by.Since), units.Age(by.Since)),
		Fix: fmt.Sprintf("wait until the process ends; if the process hangs, kill %d: the next run continues the work",
			by.PID),
	}
}

// readHolder reads the lock file. The entry of an ended process does not count: the
// number may belong to a different process now.
func readHolder(f *os.File) (by holder, ok bool) {
	text := make([]byte, 4<<10)
	n, err := f.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return by, false
	}
	if err := json.Unmarshal(text[:n], &by); err != nil || by.PID < 1 {
		return by, false
	}
	machine, err := os.Hostname()
	ended := err == nil && machine == by.Machine && errors.Is(unix.Kill(by.PID, 0), unix.ESRCH)
	return by, !ended
}
