package main

import (
	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/commandline"
)

func manCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "man",
		Short: "Print the manual page",
		Long:  "Print the manual page:\n\n  holdfast man > /usr/local/share/man/man1/holdfast.1",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.refuseJSON("a page for man"); err != nil {
				return err
			}
			commandline.WriteManual(a.term.Out, cmd.Root(), version())
			return nil
		},
	}
}
