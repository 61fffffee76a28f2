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

// roleVariable is the environment variable with the role of a test binary.
const roleVariable = "HOLDFAST_TESTKIT_ROLE"

// Main runs the tests of a package. In a process with a role, Main calls the
// function of the role and ends the process.
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

// Role prepares a run of the test binary in a role of [Main].
func Role(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), RoleVariable(name))
	return cmd
}

// RoleVariable returns "NAME=VALUE" of the environment variable for a role of
// [Main]. A copy of the test binary needs the variable.
func RoleVariable(name string) string { return roleVariable + "=" + name }

// Process is a running process with pipes to the test.
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

// Line waits for the next line of the process's output. The test fails if the
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

// StartDaemon starts a server. The function stop sends the signal, for example
// "QUIT", and waits for the end of the server. The end of the test process, even by
// a kill, has the same effect. At the end of the server the folder scratch is
// removed, unless scratch is "".
func StartDaemon(t testing.TB, cmd *exec.Cmd, signal, scratch string) (stop func()) {
	t.Helper()
	// The shell waits for the end of its input. The test process holds the input open.
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

// inputs keeps the pipes to the daemons: Go closes unreachable files.
var inputs sync.Map

// FreePort returns a free loopback port below the range of outgoing connections
// (net.ipv4.ip_local_port_range). So only a parallel call of FreePort can take the
// same port.
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
