// Package integration runs the real program against real servers. Two tests
// call package vault instead of the program: one reads the golden repository,
// the other writes the repository that is restored by hand. The tests named
// TestHouse only read the source.
package integration_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/testkit"
)

// full makes the tests run the numbers of the promises. Ordinary runs have
// smaller numbers, and end in minutes.
var full = os.Getenv("HOLDFAST_FULL") == "1"

// times returns the number of repetitions for an ordinary run or a full one.
func times(ordinary, all int) int {
	if full {
		return all
	}
	return ordinary
}

func TestMain(m *testing.M) {
	allowMore()
	testkit.Main(m, map[string]func([]string) error{"server": serve, "measure": measure, "writer": testkit.WriteSQLite})
	if scratch != "" {
		os.RemoveAll(scratch)
	}
}

// allowMore doubles the number of parallel tests, unless -parallel is given. These
// tests spend much of their time waiting for other processes.
func allowMore() {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
}

// scratch is a folder for the things that all tests share, "" before
// makeScratch. Other users can reach the folder.
var scratch string

// makeScratch returns scratch, and makes the folder at the first call.
var makeScratch = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "holdfast-integration-*")
	if err != nil {
		return "", err
	}
	scratch = dir
	return dir, os.Chmod(dir, 0o755)
})

// built builds the program once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := makeScratch()
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "holdfast")
	build := exec.Command("go", "build", "-o", program, "holdfast/cmd/holdfast")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // the released program needs no library
	if out, err := build.CombinedOutput(); err != nil {
		return program, fmt.Errorf("build holdfast: %w\n%s", err, out)
	}
	return program, nil
})

// command is one run of the program with --json.
type command struct {
	*exec.Cmd
	t              *testing.T
	wait           func() error // waits for the run's end; may be called again
	stdout, stderr bytes.Buffer
	began          time.Time
	took           time.Duration
	summary        summary // zero if the run printed none
}

// summary is the last line that --json prints.
type summary struct {
	Type, Verb         string
	Exit               int
	Error, Effect, Fix string
	Result             json.RawMessage
}

// saved is the result of a backup.
type saved struct {
	Snapshot struct {
		ID, Name string
		Stored   int64
	}
	Packs    int
	Passes   int
	NewFiles int `json:"new_files"`
}

// newCommand prepares a run with no other environment.
func newCommand(t *testing.T, environment []string, args ...string) *command {
	t.Helper()
	program, err := built()
	testkit.OK(t, err)
	c := &command{t: t, Cmd: exec.CommandContext(t.Context(), program, append([]string{"--json"}, args...)...)}
	c.Env = environment
	c.Stdout, c.Stderr = &c.stdout, &c.stderr
	c.wait = sync.OnceValue(c.Wait)
	return c
}

func (c *command) start() *command {
	c.t.Helper()
	c.began = time.Now()
	testkit.OK(c.t, c.Start())
	return c
}

// until waits for an event, and fails the test if the run ends first.
func (c *command) until(reached <-chan struct{}) {
	c.t.Helper()
	ended := make(chan struct{})
	go func() {
		c.wait()
		close(ended)
	}()
	select {
	case <-reached:
	case <-ended:
		c.t.Fatalf("holdfast %s ended too early: %v\n%s%s", c.words(), c.ProcessState, &c.stdout, &c.stderr)
	}
}

// end waits for the run and returns its exit code, or -1 if a signal ended the
// run.
func (c *command) end() int {
	c.t.Helper()
	err := c.wait()
	c.took = time.Since(c.began)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(c.stdout.String()), "\n")
	var s summary
	if json.Unmarshal([]byte(lines[len(lines)-1]), &s) == nil && s.Type == "summary" {
		c.summary = s
	}
	return c.ProcessState.ExitCode()
}

// expect waits for the run. The exit code must be the wanted one, and the
// summary must tell the same code.
func (c *command) expect(exit int) *command {
	c.t.Helper()
	if got := c.end(); got != exit || c.summary.Type != "summary" || c.summary.Exit != exit {
		c.t.Fatalf("holdfast %s: exit %d, want %d\n%s%s", c.words(), got, exit, &c.stdout, &c.stderr)
	}
	return c
}

// says wants words in the error of the summary, and words in its fix.
func (c *command) says(problem, fix string) *command {
	c.t.Helper()
	if !strings.Contains(c.summary.Error, problem) || !strings.Contains(c.summary.Fix, fix) {
		c.t.Errorf("holdfast %s: error %q, want %q\nfix %q, want %q",
			c.words(), c.summary.Error, problem, c.summary.Fix, fix)
	}
	return c
}

// words returns the arguments for a message, without the program and --json.
func (c *command) words() string { return strings.Join(c.Args[2:], " ") }

// result reads the result in the summary into v.
func (c *command) result(v any) {
	c.t.Helper()
	if err := json.Unmarshal(c.summary.Result, v); err != nil {
		c.t.Fatalf("result %s: %v", c.summary.Result, err)
	}
}

// measured makes a small process start the run: the system counts the memory of
// the parent in the peak of a child.
func (c *command) measured() *command {
	c.Env = append(c.Env, testkit.RoleVariable("measure"))
	c.Args = append([]string{os.Args[0], c.Path}, c.Args[1:]...)
	c.Path = os.Args[0]
	return c
}

// peak returns the most memory in bytes that a measured run had resident.
func (c *command) peak() (bytes int64) {
	c.t.Helper()
	_, text, _ := strings.Cut(c.stderr.String(), "peak ")
	_, err := fmt.Sscan(text, &bytes)
	testkit.OK(c.t, err)
	return bytes
}

// measure runs a program, prints the program's peak of memory, and ends with the
// program's exit code.
func measure(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "peak", cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	os.Exit(cmd.ProcessState.ExitCode())
	return nil
}
