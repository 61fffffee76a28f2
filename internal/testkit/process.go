package testkit

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// roleVariable is the environment variable that makes a test binary play a role.
const roleVariable = "HOLDFAST_TESTKIT_ROLE"

// Main runs the tests of a package. In a process that plays a role, Main calls
// the function of that role instead, and ends the process.
func Main(m *testing.M, roles map[string]func(args []string) error) {
	name := os.Getenv(roleVariable)
	if name == "" {
		m.Run()
		return
	}
	play := roles[name]
	if play == nil {
		fmt.Fprintf(os.Stderr, "this test binary has no role %q\n", name)
		os.Exit(2)
	}
	if err := play(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Role prepares a run of the test binary that plays a role of [Main].
func Role(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), RoleVariable(name))
	return cmd
}

// RoleVariable returns the environment variable, as "NAME=VALUE", that makes a
// copy of the test binary play a role of [Main].
func RoleVariable(name string) string { return roleVariable + "=" + name }

// Process is a running process that a test talks to.
type Process struct {
	*exec.Cmd
	In io.WriteCloser // the process's standard input

	t   testing.TB
	out *bufio.Scanner
}

// Start starts a process. The process is killed at the end of the test.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	OK(t, err)
	out, err := cmd.StdoutPipe()
	OK(t, err)
	OK(t, cmd.Start())
	p := &Process{Cmd: cmd, In: in, t: t, out: bufio.NewScanner(out)}
	t.Cleanup(p.Kill)
	return p
}

// Line waits for the next line that the process prints. The test fails if the
// process ends first.
func (p *Process) Line() string {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatal("the process ended")
	}
	return p.out.Text()
}

// Kill ends the process at once, as a power cut would. A second call has no
// effect.
func (p *Process) Kill() {
	p.Process.Kill() // fails only if the process is gone
	p.Wait()
}

// StartDaemon starts a server and returns a function that ends the server: stop
// sends the signal, for example "QUIT", and waits. The server gets the signal
// too when this process ends, even if this process is killed. Then the folder
// scratch is removed, unless scratch is "".
func StartDaemon(t testing.TB, cmd *exec.Cmd, signal, scratch string) (stop func()) {
	t.Helper()
	// The shell waits for the end of its input, which this process holds open.
	const script = `signal=$1 scratch=$2; shift 2
"$@" & server=$!
read _
kill -$signal $server; wait
[ -z "$scratch" ] || rm -rf "$scratch"`
	cmd.Args = append([]string{"sh", "-c", script, "sh", signal, scratch, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	input, err := cmd.StdinPipe()
	OK(t, err)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", filepath.Base(cmd.Args[6]), err)
	}
	inputs.Store(cmd, input)
	return sync.OnceFunc(func() {
		inputs.Delete(cmd)
		input.Close()
		cmd.Wait()
	})
}

// inputs keeps the pipes to the daemons: Go closes a file that nobody can reach.
var inputs sync.Map

// FreePort returns a loopback port that no process listens on. The port lies
// below the range from which Linux takes ports for outgoing connections, so only
// another call of FreePort may take the port meanwhile.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + rand.IntN(22_000)
		listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		OK(t, listener.Close())
		return port
	}
	t.Fatal("found no free port")
	return 0
}
