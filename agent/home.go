package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/agent/lock"
	"holdfast/disk"
	"holdfast/remedy"
	"holdfast/seal"
)

// Home names Holdfast's own files on a machine.
type Home struct {
	ConfigFile string // Holdfast's configuration
	State      string // the folder of host key, lock, index and spool
	Root       string // the root folder of systemd's units; default: /
}

// HostFile is the file of the host's key.
func (h Home) HostFile() string { return filepath.Join(h.State, "host.json") }

// IdentityFile is the file of the owner's identity after init --keep-identity.
func (h Home) IdentityFile() string { return filepath.Join(h.State, "identity.txt") }

// SetupFiles returns the existing files of a host's set-up.
func (h Home) SetupFiles() []string { return existing(h.ConfigFile, h.HostFile(), h.IdentityFile()) }

// StartOver tells a person how to repeat an interrupted init. left are the files that
// the interrupted init made.
func StartOver(left []string) string {
	return fmt.Sprintf("if an init was interrupted, and this host never backed up anything: rm %s, "+
		"and the kit that init wrote, then run init again", strings.Join(left, " "))
}

// Host reads the host's key.
func (h Home) Host() (*seal.Host, error) {
	host, err := seal.LoadHost(h.HostFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &remedy.Error{Kind: remedy.WrongKey,
			What: fmt.Sprintf("this host has no key: %s is missing", h.HostFile()),
			Fix: fmt.Sprintf("name the right folder by --state, or put a copy of %s back; without a copy, "+
				"move %s and the rest of %s away and run holdfast init with a new prefix in the same bucket: "+
				"the recovery kit still restores the old snapshots", h.HostFile(), h.ConfigFile, h.State)}
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, &remedy.Error{Kind: remedy.Setting, Err: err,
			Fix: fmt.Sprintf("run Holdfast as the user who owns the state folder; if a run as root gave files to "+
				"root, as root: %s; or name another folder by --state",
				remedy.ShellLine([]string{"chown", "-R", disk.UserName(os.Geteuid()), h.State}))}
	}
	if err != nil {
		return nil, &remedy.Error{Kind: remedy.WrongKey, What: "this host's key can't be read", Err: err,
			Fix: fmt.Sprintf("put back a copy of %s, or name the right folder by --state", h.HostFile())}
	}
	return host, nil
}

// existing returns those paths that exist.
func existing(paths ...string) (found []string) {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			found = append(found, path)
		}
	}
	return found
}

// Lock takes the state folder for one job. See [lock.Take] for the errors.
func (h Home) Lock(job string) (unlock func() error, err error) {
	if err := h.checkStateGuarded(); err != nil {
		return nil, err
	}
	return lock.Take(h.State, job)
}
