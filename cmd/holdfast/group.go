package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/remedy"
)

// errHelp ends a command line without a command after showing the help.
var errHelp = errors.New("help was shown")

// noCommand is the problem of a command line without a command.
var noCommand = &remedy.Error{Kind: remedy.Setting, What: "no command given", Fix: "holdfast --help lists the commands"}

// group lets a command with subcommands suggest the nearest subcommand.
func group(cmd *cobra.Command) *cobra.Command {
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
		return errors.Join(cmd.Help(), errHelp)
	}
	return cmd
}
