package main

import (
	"context"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/report"
	"holdfast/vault"
)

func backupCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "backup",
		Short: "Back up the instance as a new snapshot",
		Long: `Back up the instance as a new snapshot while the server runs. Only data that no
earlier snapshot holds is uploaded.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := backUp(cmd.Context(), a)
			if err != nil {
				return err
			}
			return report.Backup(a.term, done)
		},
	}
}

// backUp runs the job. The effect of an error names the snapshots to fall back on.
func backUp(ctx context.Context, a *app) (report *agent.BackupReport, err error) {
	p := new(vault.Progress)
	err = a.term.Watch(ctx, "uploaded", p, func(ctx context.Context) (err error) {
		report, err = a.home.Backup(ctx, agent.BackupConfig{Version: version(), Observer: a.observer(p)})
		return err
	})
	if err != nil && report.Standing != nil {
		return nil, problem.WithEffect(err, report.Standing.String())
	}
	return report, err
}
