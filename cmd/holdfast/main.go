// Holdfast backs up a GoToSocial instance to object storage, and rebuilds the instance
// from there.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"holdfast/cmd/holdfast/commandline"
	"holdfast/cmd/holdfast/handover"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/remedy"
)

func main() {
	os.Exit(run(newApp(terminal.New(os.Stdin, os.Stdout, os.Stderr)), os.Args[1:]))
}

// run runs one command line and returns its exit code.
func run(a *app, args []string) int {
	limitMemory()
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program at once

	slog.SetDefault(slog.New(a.term.LogHandler()))
	root := rootCommand(a)
	root.SetArgs(commandline.JoinPassphrase(args))
	cmd, err := root.ExecuteContextC(ctx)
	if other := (*handover.Ended)(nil); errors.As(err, &other) {
		return other.Exit
	}
	name := commandName(cmd)
	var failure *remedy.Error
	switch {
	case errors.Is(err, commandline.ErrHelp):
		failure = commandline.NoCommand
	case err != nil && !a.understood:
		a.term.JSON = a.term.JSON || commandline.AsksJSON(args) // --json may follow the mistake
		failure = problem.WrongUsage(err, name)
	case err != nil:
		failure = problem.Explain(ctx, err)
	}
	if failure != nil && failure != commandline.NoCommand {
		a.term.ShowProblem(name, failure)
	}
	exit := problem.ExitCode(failure)
	a.term.Summarize(name, exit, failure)
	if err := a.term.WriteError(); err != nil && failure == nil && !(a.outlives && isLostReader(err)) {
		// A person asked for the output. A script must not take a part of a list for the
		// whole.
		failure = &remedy.Error{What: "write standard output", Err: err, Effect: "the output is incomplete",
			Fix: "send the output to a terminal or to a disk with room"}
		if a.outlives {
			failure.Effect = "the work is done, and only the report is lost"
		}
		a.term.ShowProblem(name, failure)
		return problem.ExitCode(failure)
	}
	return exit
}

// endSignals ask for an orderly end. Closing the terminal sends SIGHUP; nohup and
// [outlive] make the program ignore SIGHUP.
func endSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// limitMemory leaves memory to the instance's server on the same machine.
// GOMEMLIMIT and GOGC of the environment win.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(96 << 20)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(100)
	}
}
