package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// outlive makes a command go on when nobody reads its output any more: the reader of a
// pipe ended, or the terminal was closed. The work matters more than the words.
func outlive(a *app, cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a.outlives = true
		// Programs that the command starts ignore SIGHUP too. SIGPIPE is caught, and not
		// ignored: a shell line needs the usual end of a pipe.
		signal.Ignore(syscall.SIGHUP)
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
		return run(cmd, args)
	}
	return cmd
}

// isLostReader reports whether an error of writing means that nobody reads the output.
func isLostReader(err error) bool { return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.EIO) }
