// Package handover runs the program's own command line again, as another user.
package handover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/disk"
	"holdfast/remedy"
)

// Ended is the exit code of the same command, run as another user. The other process
// has told a person everything.
type Ended struct{ Exit int }

func (e *Ended) Error() string {
	return fmt.Sprintf("the run as another user ended with exit code %d", e.Exit)
}

// Run runs this command line as another user, waits for the end of the run, and returns
// [Ended]. The paths of home are absolute.
func Run(ctx context.Context, t *terminal.Terminal, home agent.Home, uid int) error {
	name := disk.UserName(uid)
	cmd, err := command(ctx, home, uid)
	if err != nil {
		return fmt.Errorf("work as %s: %w", name, err)
	}
	t.Note("%s can change Holdfast's configuration or state folder: this run works as %s, "+
		"without root's environment", name, name)
	// The kernel ends the child together with the thread that starts the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	if cmd.ProcessState == nil {
		return &remedy.Error{What: "start Holdfast as " + name, Err: err, Effect: "nothing was changed",
			Fix: fmt.Sprintf("let %s run the program, for example: chmod 755 %s", name, os.Args[0])}
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return &remedy.Error{Kind: remedy.Interrupted,
			What: fmt.Sprintf("the run as %s was ended by a signal: %s", name, status.Signal())}
	}
	return &Ended{cmd.ProcessState.ExitCode()}
}

// command prepares the same command line for another user. The session is new: in the
// session of root's terminal, a program could type commands into the terminal (TIOCSTI).
func command(ctx context.Context, of agent.Home, uid int) (*exec.Cmd, error) {
	credential, home, err := credentialOf(uid)
	if err != nil {
		return nil, err
	}
	// The name of the file may lie in a folder that the user can't enter.
	program := "/proc/self/exe"
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath(os.Args[0]); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Args = os.Args
	cmd.Env = append(userEnvironment(os.Environ()), "HOME="+home, "USER="+disk.UserName(uid),
		"LOGNAME="+disk.UserName(uid), "HOLDFAST_CONFIG="+of.ConfigFile, "HOLDFAST_STATE="+of.State)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setsid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd, nil
}

// credentialOf returns the groups and the home folder of a user. Root's groups are not
// among them. The own group of a user without a name has the number of the user.
func credentialOf(uid int) (c *syscall.Credential, home string, err error) {
	c = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	u, err := user.LookupId(strconv.Itoa(uid))
	if unknown := user.UnknownUserIdError(0); errors.As(err, &unknown) {
		return c, "/", nil
	}
	if err != nil {
		return nil, "", err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, "", err
	}
	for _, text := range append([]string{u.Gid}, groups...) {
		gid, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, "", err
		}
		c.Groups = append(c.Groups, uint32(gid))
	}
	c.Gid = c.Groups[0]
	return c, u.HomeDir, nil
}

// userEnvironment returns the variables that another user may see: of the terminal, the
// language, the time zone and Holdfast. Root's other variables may hold secrets.
func userEnvironment(environment []string) []string {
	kept := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains([]string{"TERM", "LANG", "LANGUAGE", "TZ", "NO_COLOR", "GOMEMLIMIT", "GOGC"}, name) ||
			strings.HasPrefix(name, "LC_") || strings.HasPrefix(name, "HOLDFAST_") {
			kept = append(kept, variable)
		}
	}
	return kept
}
