package integration_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// readers are the ways to lose the reader of a run's output. Each function connects the
// output of a command, and returns the function that ends the reader.
var readers = map[string]func(t *testing.T, c *command) (lose func()){
	"pipe": func(t *testing.T, c *command) func() {
		read, write, err := os.Pipe()
		testkit.OK(t, err)
		t.Cleanup(func() { write.Close() })
		c.Stdout, c.Stderr = write, write
		return func() { testkit.OK(t, read.Close()) }
	},
	"terminal": func(t *testing.T, c *command) func() {
		keyboard, screen := openTerminal(t)
		c.Stdin, c.Stdout, c.Stderr = screen, screen, screen
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		return func() { testkit.OK(t, keyboard.Close()) }
	},
}

// openTerminal opens a new terminal. Closing the keyboard closes the terminal.
func openTerminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testkit.Missing(t, "open a terminal: %v", err)
	}
	testkit.OK(t, unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	testkit.OK(t, err)
	screen, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	testkit.OK(t, err)
	t.Cleanup(func() {
		keyboard.Close()
		screen.Close()
	})
	return keyboard, screen
}

// withoutJSON makes a command print text for people.
func withoutJSON(c *command) *command {
	c.Args = append(c.Args[:1:1], append(c.Args[2:], "--progress", "auto")...)
	return c
}

// A backup or a restore goes on when `head` ends, or when an SSH connection breaks.
func TestBackupAndRestoreOutliveTheReaderOfTheirOutput(t *testing.T) {
	for name, connect := range readers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, p := minioRemote(t)
			h := newHost(t, at, big)
			to := filepath.Join(t.TempDir(), "restored")
			for _, run := range []struct {
				command *command
				method  string
				packs   int
			}{
				{h.holdfast("backup"), http.MethodPut, 2},
				{h.restoring("latest", to), http.MethodGet, 4},
			} {
				c := withoutJSON(run.command)
				lose := connect(t, c)
				reached := p.holdAfter(run.method, run.packs)
				c.start().until(reached)
				lose()
				p.release()
				if exit := c.end(); exit != 0 {
					t.Fatalf("the run with %s: exit %d", run.method, exit)
				}
			}
			h.compare(to, h.image())
		})
	}
}

// A dump of PostgreSQL ends when its terminal is closed, unless Holdfast's children
// ignore the signal. A shell line needs the usual SIGPIPE.
func TestProgramsOfABackupOutliveTheTerminal(t *testing.T) {
	t.Parallel()
	h := newHost(t, folderRemote(t), sample.Config{Media: 2})
	trace := filepath.Join(h.dir, "trace")
	text := strings.Replace(string(testkit.Read(t, h.yaml())), "remotes:\n  - ",
		"remotes:\n  - access_key: 'cmd:grep SigIgn /proc/self/status > "+trace+"; echo key'\n    ", 1)
	testkit.OK(t, os.WriteFile(h.yaml(), []byte(text), 0o600))
	h.backup()
	_, digits, _ := strings.Cut(strings.TrimSpace(string(testkit.Read(t, trace))), "\t")
	ignored, err := strconv.ParseUint(digits, 16, 64)
	testkit.OK(t, err)
	if ignored&(1<<(unix.SIGHUP-1)) == 0 {
		t.Errorf("a program ends with the terminal: SigIgn %s", digits)
	}
	if ignored&(1<<(unix.SIGPIPE-1)) != 0 {
		t.Errorf("a program does not end with its pipe: SigIgn %s", digits)
	}
}
