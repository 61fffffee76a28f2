package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// app is what the verbs share: the global flags, and where they read from and
// write to.
type app struct {
	in       *os.File
	out, err io.Writer

	root string // where systemd units and configurations are looked for; "" is /

	configFile string
	state      string
	progress   string
	json       bool
	quiet      bool
	verbose    bool

	patience time.Duration // with what doesn't answer; 0 is that of a nightly run

	ready  bool // the command line is understood: what fails now is no usage error
	result any  // what the summary line of --json carries

	live atomic.Bool // the progress line is on the terminal
}

// main runs one command line and returns its exit code.
func (a *app) main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program at once

	out := &checkedWriter{w: a.out}
	a.out = out
	slog.SetDefault(slog.New(logHandler{a: a}))
	root := a.command()
	root.SetArgs(joinPassphrase(args))
	cmd, err := root.ExecuteContextC(ctx)
	verb := verbOf(cmd)
	if errors.Is(err, errHelp) {
		if a.json {
			a.line("summary", summary{Verb: verb, Exit: exitUsage, Error: "there is no verb", Fix: "holdfast --help lists them"})
		}
		return exitUsage
	}
	var p *problem
	if err != nil {
		if !a.ready {
			// A flag that comes after the mistake counts too.
			a.json = a.json || asksJSON(args)
			err = &problem{exit: exitUsage, err: err, fix: "holdfast " + join(verb, "--help") + " shows how it is used"}
		}
		p = explain(ctx, err)
	}
	exit := a.finish(verb, p)
	if err := out.failed(); err != nil && p == nil {
		// What was asked for is the output, and a script must not take a cut list for a whole one.
		p = &problem{exit: exitUnexpected, err: fmt.Errorf("write standard output: %w", err)}
		fmt.Fprint(a.err, p.render(verb))
		exit = p.exit
	}
	return exit
}

// endings are the signals that ask for an end in good order. A terminal that is
// closed asks so too, unless nohup says that it is to be ignored.
func endings() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// Root keeps its files where a service keeps them, everybody else at home.
func defaultConfigFile() string {
	if os.Geteuid() == 0 {
		return "/etc/holdfast/config.yaml"
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "holdfast.yaml"
	}
	return filepath.Join(dir, "holdfast", "config.yaml")
}

func defaultState() string {
	if os.Geteuid() == 0 {
		return "/var/lib/holdfast"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "holdfast")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".holdfast"
	}
	return filepath.Join(home, ".local", "state", "holdfast")
}

// The files of the state folder, beside the index: the host's key, and the
// identity where init was told to keep it.
func (a *app) hostFile() string     { return filepath.Join(a.state, "host.json") }
func (a *app) identityFile() string { return filepath.Join(a.state, "identity.txt") }

// setup are the files that init makes for the host.
func (a *app) setup() []string { return []string{a.configFile, a.hostFile(), a.identityFile()} }
