package main

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

	"github.com/spf13/cobra"

	"holdfast/disk"
	"holdfast/remedy"
)

// asUser makes a command of root's run with the rights of the user who can change the
// configuration or the state folder. Commands that read an owner's identity are never
// wrapped: the other user could read the identity in the memory of the process.
func asUser(a *app, cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.handOver(cmd.Context()); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// handOver runs this command line as the user who can change the configuration or the
// state folder, and returns [endedAs]. handOver returns nil if this user does the work.
func (a *app) handOver(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, err := a.home.User()
	if err != nil || uid == 0 {
		return err
	}
	return a.runAs(ctx, uid)
}

// endedAs is the exit code of the same command, run as another user. The other process
// has told a person everything.
type endedAs struct{ exit int }

func (e *endedAs) Error() string {
	return fmt.Sprintf("the run as another user ended with exit code %d", e.exit)
}

// runAs runs this command line as another user, and waits for the end of the run.
func (a *app) runAs(ctx context.Context, uid int) error {
	if err := makeAbsolute(&a.home.ConfigFile, &a.home.State); err != nil {
		return err
	}
	name := disk.UserName(uid)
	cmd, err := a.commandAs(ctx, uid)
	if err != nil {
		return fmt.Errorf("work as %s: %w", name, err)
	}
	a.term.Note("%s can change Holdfast's configuration or state folder: this run works as %s, "+
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
	return &endedAs{cmd.ProcessState.ExitCode()}
}

// commandAs prepares the same command line for another user. The session is new: in the
// session of root's terminal, a program could type commands into the terminal (TIOCSTI).
func (a *app) commandAs(ctx context.Context, uid int) (*exec.Cmd, error) {
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
		"LOGNAME="+disk.UserName(uid), "HOLDFAST_CONFIG="+a.home.ConfigFile, "HOLDFAST_STATE="+a.home.State)
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
