// Package commandline has what the library for commands lacks: flags from the
// environment, suggestions after typing errors, secrets that a person typed in the wrong
// place, and the manual page.
package commandline

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/remedy"
)

// ErrHelp ends a command line without a command after showing the help.
var ErrHelp = errors.New("help was shown")

// NoCommand is the problem of a command line without a command.
var NoCommand = &remedy.Error{Kind: remedy.Setting, What: "no command given", Fix: "holdfast --help lists the commands"}

// Group lets a command with subcommands suggest the nearest subcommand.
func Group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, c := range cmd.Commands() {
			if !c.Hidden {
				names = append(names, c.Name())
			}
		}
		return fmt.Errorf("unknown command %q%s", args[0], remedy.DidYouMean(remedy.Near(args[0], names)))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SetOut(cmd.ErrOrStderr())
		return errors.Join(cmd.Help(), ErrHelp)
	}
	return cmd
}
