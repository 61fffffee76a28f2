// Package child starts all other programs. A child gets none of Holdfast's environment but a
// few harmless variables: the environment may hold the storage's keys and passwords.
package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/disk"
)

// Command returns a child that starts in the root folder, speaks English, and gets PATH alone.
// The child has no terminal: a child of another user could type commands there. The end of
// ctx ends the child. The caller may append to Env.
func Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(keep("PATH"), "LC_ALL=C")
	// The child of an ended child may hold a pipe.
	cmd.Dir, cmd.WaitDelay = "/", time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// Find returns the path of a program. Find refuses a program that a user besides root and the
// user of this process can replace.
func Find(program string) (path string, err error) {
	if path, err = exec.LookPath(program); err == nil {
		err = Trust(path)
	}
	return path, err
}

// Trust refuses a program that a user besides root and the user of this process can replace.
func Trust(path string) error {
	if err := disk.CheckGuarded(path); err != nil {
		return fmt.Errorf("refuse to run %s: %w", path, err)
	}
	return nil
}

// Shell returns a child that runs a person's line. The child gets what password managers need
// to find their files, agents and terminal.
func Shell(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	cmd.Env = keep(personal...)
	cmd.WaitDelay = time.Second
	return cmd
}

// personal are the variables by which password managers and smart cards find their
// files, agents and terminal.
var personal = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "TZ", "TMPDIR",
	"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY",
	"GNUPGHOME", "GPG_TTY", "SSH_AUTH_SOCK", "PASSWORD_STORE_DIR", "CREDENTIALS_DIRECTORY",
}

// around guards the environment of this process during [Lend].
var around sync.Mutex

// Lend calls start, which starts a trusted program by a library. Meanwhile the environment of
// this process has no variable but those of [Shell].
func Lend(program string, start func() error) error {
	if _, err := Find(program); err != nil {
		return err
	}
	around.Lock()
	defer around.Unlock()
	before := os.Environ()
	err := setEnvironment(keep(personal...))
	if err == nil {
		err = start()
	}
	return errors.Join(err, setEnvironment(before))
}

func setEnvironment(variables []string) (err error) {
	os.Clearenv()
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		err = errors.Join(err, os.Setenv(name, value))
	}
	return err
}

// keep returns those variables of this process that are set.
func keep(names ...string) []string {
	kept := []string{} // a nil slice would pass on everything
	for _, name := range names {
		if value, ok := os.LookupEnv(name); ok && !strings.Contains(value, "\x00") {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}
