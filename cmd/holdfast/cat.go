package main

import (
	"os"

	"github.com/spf13/cobra"
)

func (a *app) catCommand() *cobra.Command {
	var from string
	var u unlocking
	cmd := &cobra.Command{
		Use:   "cat SNAP PART/PATH",
		Short: "Write one file of a snapshot to standard output",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.noJSON("the file's own bytes"); err != nil {
				return err
			}
			repo, err := a.openOwned(cmd.Context(), from, u)
			if err != nil {
				return err
			}
			defer repo.close()
			snap, err := repo.snapshot(cmd.Context(), args[0], os.TempDir())
			if err != nil {
				return err
			}
			return snap.Cat(cmd.Context(), args[1], a.out)
		},
	}
	fromFlag(cmd, &from)
	u.flags(cmd)
	return cmd
}
