package main

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/cmd/holdfast/terminal"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

func TestScreenShowsNoKeys(t *testing.T) {
	tty := openTerminal(t)
	a := newApp(terminal.New(tty, tty, tty))
	var p *remedy.Error
	if err := new(exportFlags).check(a, ""); !errors.As(err, &p) || p.Kind != remedy.Setting || p.Fix == "" {
		t.Errorf("%v", err)
	}
	if err := (&exportFlags{output: t.TempDir() + "/new.json"}).check(a, ""); err != nil {
		t.Error(err)
	}
	a.term = terminal.New(tty, new(bytes.Buffer), tty)
	if err := new(exportFlags).check(a, ""); err != nil {
		t.Errorf("a pipe: %v", err)
	}
}

// openTerminal returns a terminal whose screen nobody reads.
func openTerminal(t *testing.T) *os.File {
	t.Helper()
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testkit.Missing(t, "open a terminal: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty
}
