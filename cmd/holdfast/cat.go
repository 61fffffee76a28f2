package main

import (
	"os"

	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/terminal"
	"holdfast/cmd/holdfast/unlock"
)

func catCommand(a *app) *cobra.Command {
	var from string
	var u unlock.Flags
	cmd := &cobra.Command{
		Use:   "cat SNAP PART/PATH",
		Short: "Write one file of a snapshot to standard output",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.refuseJSON("the file itself"); err != nil {
				return err
			}
			name := terminal.Unquote(args[1])
			if err := checkPartPath(name); err != nil {
				return err
			}
			repo, err := a.openOwned(cmd.Context(), from, u)
			if err != nil {
				return err
			}
			defer repo.Close()
			snap, err := repo.Snapshot(cmd.Context(), args[0], os.TempDir())
			if err != nil {
				return err
			}
			return snap.Cat(cmd.Context(), name, a.term.Out)
		},
	}
	fromFlag(cmd, &from)
	u.Define(cmd)
	return cmd
}
