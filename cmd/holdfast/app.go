package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// app is what the verbs share: the global flags, and where they read from and
// write to.
type app struct {
	in       *os.File
	out, err io.Writer

	configFile string
	state      string
	progress   string
	json       bool
	quiet      bool
	verbose    bool

	ready  bool // the command line is understood: what fails now is no usage error
	result any  // what the summary line of --json carries
}

// main runs one command line and returns its exit code.
func (a *app) main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program at once

	root := a.command()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if errors.Is(err, errHelp) {
		return exitUsage
	}
	verb := verbOf(cmd)
	var p *problem
	if err != nil {
		if !a.ready {
			// A flag that comes after the mistake counts too.
			a.json = a.json || asksJSON(args)
			err = &problem{exit: exitUsage, err: err, fix: "holdfast " + join(verb, "--help") + " shows how it is used"}
		}
		p = explain(ctx, err)
	}
	return a.finish(verb, p)
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
