// Package integration runs the real program against real servers. Two tests
// call vault themselves: the golden repository is read, and the one that is
// restored by hand is written, without the command line. The TestHouse ones look
// at the source only.
package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/instance/sample"
)

// full runs the numbers that the promises are made for; ordinary runs have
// fewer, and finish in minutes.
var full = os.Getenv("HOLDFAST_FULL") == "1"

// times is how often something is tried.
func times(ordinary, all int) int {
	if full {
		return all
	}
	return ordinary
}

// The test binary also plays the server that writes meanwhile, and the one who
// measures.
func TestMain(m *testing.M) {
	if os.Getenv("HOLDFAST_INTEGRATION_SERVER") != "" {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if program := os.Getenv("HOLDFAST_INTEGRATION_MEASURE"); program != "" {
		os.Exit(measure(program))
	}
	code := m.Run()
	os.RemoveAll(buildFolder)
	os.Exit(code)
}

// buildFolder is where built put the program, "" where no test asked for it.
var buildFolder string

// built is the program, built once. Its folder is one that other users can
// reach, too.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "holdfast-integration-*")
	if err != nil {
		return "", err
	}
	buildFolder = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "holdfast")
	build := exec.Command("go", "build", "-o", program, "holdfast/cmd/holdfast")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped: it needs no file beside it
	if out, err := build.CombinedOutput(); err != nil {
		return program, fmt.Errorf("build holdfast: %w\n%s", err, out)
	}
	return program, nil
})

// command is one run of the program, with --json.
type command struct {
	*exec.Cmd
	t              *testing.T
	wait           func() error // for its end, as often as one likes
	stdout, stderr bytes.Buffer
	began          time.Time
	took           time.Duration
	summary        summary // zero where the run did not get that far
}

// summary is the last line that --json prints.
type summary struct {
	Type, Verb         string
	Exit               int
	Error, Effect, Fix string
	Result             json.RawMessage
}

// saved is what backup says in its summary.
type saved struct {
	Snapshot struct {
		ID, Name string
		Stored   int64
	}
	Packs    int
	Passes   int
	NewFiles int `json:"new_files"`
}

// newCommand prepares a run in a clean environment.
func newCommand(t *testing.T, environment []string, args ...string) *command {
	t.Helper()
	program, err := built()
	ok(t, err)
	c := &command{t: t, Cmd: exec.CommandContext(t.Context(), program, append([]string{"--json"}, args...)...)}
	c.Env = environment
	c.Stdout, c.Stderr = &c.stdout, &c.stderr
	c.wait = sync.OnceValue(c.Wait)
	return c
}

func (c *command) start() *command {
	c.t.Helper()
	c.began = time.Now()
	ok(c.t, c.Start())
	return c
}

// until waits for what the run is to bring about, and fails where it ends before.
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
		c.t.Fatalf("holdfast %s ended too early: %v\n%s%s", strings.Join(c.Args[2:], " "), c.ProcessState, &c.stdout, &c.stderr)
	}
}

// end waits for the run and returns its exit code, -1 where a signal ended it.
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

// expect wants an exit code, and the summary to say the same.
func (c *command) expect(exit int) *command {
	c.t.Helper()
	if got := c.end(); got != exit || c.summary.Type != "summary" || c.summary.Exit != exit {
		c.t.Fatalf("holdfast %s: exit %d, want %d\n%s%s", strings.Join(c.Args[2:], " "), got, exit, &c.stdout, &c.stderr)
	}
	return c
}

// result reads what the summary carries.
func (c *command) result(v any) {
	c.t.Helper()
	if err := json.Unmarshal(c.summary.Result, v); err != nil {
		c.t.Fatalf("result %s: %v", c.summary.Result, err)
	}
}

// measured runs it from a small process: a child's peak counts its parent's
// memory, too.
func (c *command) measured() *command {
	c.Env = append(c.Env, "HOLDFAST_INTEGRATION_MEASURE="+c.Path)
	c.Path = os.Args[0]
	return c
}

// peak is the most memory that a measured run had resident, in bytes.
func (c *command) peak() (bytes int64) {
	c.t.Helper()
	_, text, _ := strings.Cut(c.stderr.String(), "peak ")
	_, err := fmt.Sscan(text, &bytes)
	ok(c.t, err)
	return bytes
}

func measure(program string) (exit int) {
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Run()
	fmt.Fprintln(os.Stderr, "peak", cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	return cmd.ProcessState.ExitCode()
}

// server is another process that has a sample's database open and writes to it.
type server struct {
	t            *testing.T
	cmd          *exec.Cmd
	in           io.WriteCloser
	out          *bufio.Scanner
	transactions int
	writing      time.Duration
}

// startServer starts one that is idle.
func startServer(t *testing.T, s *sample.Instance) *server {
	t.Helper()
	text, err := json.Marshal(s)
	ok(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOLDFAST_INTEGRATION_SERVER="+string(text))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	ok(t, err)
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	// It competes with the program for the processor, and should not lose. Who
	// may not do this competes as an equal.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, -10)
	srv := &server{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(srv.kill)
	srv.answer()
	return srv
}

// busy makes it write as fast as it can, calm now and then.
func (s *server) busy() { s.say("busy") }
func (s *server) calm() { s.say("calm") }

// pause makes it stop writing, with the database still open.
func (s *server) pause() { s.say("pause") }

// stop ends it in good order.
func (s *server) stop() {
	s.t.Helper()
	s.pause()
	s.in.Close()
	ok(s.t, s.cmd.Wait())
}

// kill leaves the log as it is.
func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func (s *server) say(word string) {
	s.t.Helper()
	_, err := fmt.Fprintln(s.in, word)
	ok(s.t, err)
	s.answer()
}

func (s *server) answer() {
	s.t.Helper()
	if !s.out.Scan() {
		s.t.Fatal("the server died")
	}
	var n int
	var took time.Duration
	if _, err := fmt.Sscan(s.out.Text(), &n, (*int64)(&took)); err != nil {
		s.t.Fatalf("the server says %q", s.out.Text())
	}
	s.transactions += n
	s.writing += took
}

// rate is how many transactions a second it committed while it wrote.
func (s *server) rate() float64 { return float64(s.transactions) / s.writing.Seconds() }

// serve is the server's process: it does what each word of its input says, once
// it has answered with the transactions and nanoseconds of the word before.
func serve() error {
	var inst sample.Instance
	if err := json.Unmarshal([]byte(os.Getenv("HOLDFAST_INTEGRATION_SERVER")), &inst); err != nil {
		return err
	}
	stop, err := inst.Start()
	if err != nil {
		return err
	}
	fmt.Println(0, 0)
	end := func() (int, error) { return 0, nil }
	began := time.Now()
	for words := bufio.NewScanner(os.Stdin); words.Scan(); {
		n, err := end()
		if err != nil {
			return err
		}
		if n == 0 {
			began = time.Now() // it was idle
		}
		fmt.Println(n, int64(time.Since(began)))
		began = time.Now()
		switch words.Text() {
		case "busy":
			end = meanwhile(func(ctx context.Context) (int, error) { return sample.Write(ctx, inst.Database()) })
		case "calm":
			end = meanwhile(func(ctx context.Context) (int, error) { return writeCalmly(ctx, inst.Database()) })
		default:
			end = func() (int, error) { return 0, nil }
		}
	}
	return stop()
}

// meanwhile writes until end is called.
func meanwhile(write func(context.Context) (int, error)) (end func() (int, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	var n int
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, err = write(ctx)
	}()
	return func() (int, error) {
		cancel()
		<-done
		return n, err
	}
}

// writeCalmly commits a transaction or two, twenty times a second.
func writeCalmly(ctx context.Context, database string) (transactions int, err error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		burst, cancel := context.WithTimeout(ctx, time.Millisecond)
		n, err := sample.Write(burst, database)
		cancel()
		transactions += n
		if err != nil {
			return transactions, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return transactions, nil
		}
	}
}
