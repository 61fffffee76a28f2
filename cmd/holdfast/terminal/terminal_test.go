package terminal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
	"holdfast/remedy"
)

func TestOutputCannotSteerTheTerminal(t *testing.T) {
	for name, want := range map[string]string{
		"media/ä b'.png":   "media/ä b'.png",
		"packs/a\x1b[31mb": `"packs/a\x1b[31mb"`,
		"new\nline":        `"new\nline"`,
		"no\xffutf8":       `"no\xffutf8"`,
		"turned\u202eback": `"turned\u202eback"`,
	} {
		if got := Quote(name); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	problem := &remedy.Error{Err: errors.New("said \x1b[2J\n✓ nothing is damaged"), Fix: "one\ntwo\r"}
	if got := render("verify", problem); strings.ContainsAny(got, "\x1b\r") || strings.Contains(got, "\n✓") {
		t.Errorf("%q", got)
	}
	var out, err strings.Builder
	terminal := New(os.Stdin, &out, &err)
	terminal.Warn("name %s", "a\n✓ nothing is damaged\x1b[2J")
	terminal.Say("name %s", "a\x1b[2J")
	if got := out.String() + err.String(); strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
}

func TestJSONCannotSteerTheTerminal(t *testing.T) {
	var out strings.Builder
	terminal := New(os.Stdin, &out, new(bytes.Buffer))
	terminal.JSON = true
	const name = "a\u009b2J\u202eb\x7fc\U000e0041d\x1b[2Je ä"
	terminal.Item("file", map[string]string{"path": name}, "")
	line := strings.TrimSuffix(out.String(), "\n")
	if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("the line steers the terminal: %q", line)
	}
	var back struct{ Path string }
	testkit.OK(t, json.Unmarshal([]byte(line), &back))
	if back.Path != name {
		t.Errorf("a program reads %q instead of %q", back.Path, name)
	}
}

func TestLogShowsWarningsOnly(t *testing.T) {
	var out, err strings.Builder
	terminal := New(os.Stdin, &out, &err)
	terminal.Verbose = true
	log := slog.New(terminal.LogHandler())
	log.Info("backup ended", "snapshot", "0123456789")
	log.Warn("remote retry", "remote", "s3://host/bucket", "error", errors.New("reset"))
	if got := out.String() + err.String(); got != "! remote retry: reset (remote s3://host/bucket)\n" {
		t.Errorf("%q", got)
	}
}

func TestLongListIsCutUnlessVerbose(t *testing.T) {
	list := strings.Split(strings.Repeat("x", MaxShown+5), "")
	for verbose, want := range map[bool]int{false: MaxShown + 1, true: MaxShown + 5} {
		var err strings.Builder
		terminal := New(os.Stdin, new(bytes.Buffer), &err)
		terminal.Verbose = verbose
		terminal.WarnEach("lost: %s", list)
		if got := strings.Count(err.String(), "\n"); got != want {
			t.Errorf("verbose %t: %d lines, want %d", verbose, got, want)
		}
	}
}

func TestScreenIsToldFromAPipe(t *testing.T) {
	_, tty := pty(t)
	if !New(tty, tty, tty).OnScreen() {
		t.Error("a terminal is not a screen")
	}
	if New(tty, new(bytes.Buffer), tty).OnScreen() {
		t.Error("a pipe is a screen")
	}
}

// pty returns a terminal, and the other end, which reads its screen.
func pty(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testkit.Missing(t, "open a terminal: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	testkit.OK(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	testkit.OK(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	testkit.OK(t, err)
	t.Cleanup(func() { tty.Close() })
	return screen, tty
}
