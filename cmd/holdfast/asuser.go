package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/handover"
)

// asUser makes a command of root's run with the rights of the user who can change the
// configuration or the state folder. Commands that read an owner's identity are never
// wrapped: the other user could read the identity in the memory of the process.
func asUser(a *app, cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.handOver(cmd.Context()); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// handOver runs this command line as the user who can change the configuration or the
// state folder, and returns [handover.Ended]. handOver returns nil if this user does the work.
func (a *app) handOver(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, err := a.home.User()
	if err != nil || uid == 0 {
		return err
	}
	if err := makeAbsolute(&a.home.ConfigFile, &a.home.State); err != nil {
		return err
	}
	return handover.Run(ctx, a.term, a.home, uid)
}
