package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/report"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/seal"
	"holdfast/vault"
)

// listResult sums up a list, for --json.
type listResult struct {
	Repository seal.RepositoryID `json:"repository"`
	Head       string            `json:"head"`
	Snapshots  int               `json:"snapshots"`
}

func listCommand(a *app) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the snapshots; needs no key",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return list(cmd.Context(), a, from) },
	}
	fromFlag(cmd, &from)
	return cmd
}

func list(ctx context.Context, a *app, from string) error {
	repo, err := a.open(ctx, from)
	if err != nil {
		return err
	}
	defer repo.Close()
	const row = "%-10s  %-20s  %-7s  %10s  %10s  %s"
	result := listResult{Repository: repo.ID, Head: repo.Head().Name().Hex()}
	records := repo.Records()
	for i := len(records) - 1; i >= 0; i-- {
		rec := records[i]
		if rec.Kind != manifest.KindBackup {
			continue
		}
		if result.Snapshots == 0 && !a.term.JSON {
			fmt.Fprintf(a.term.Out, row+"\n", "SNAPSHOT", "TIME", "AGE", "SIZE", "UPLOADED", "INSTANCE")
		}
		result.Snapshots++
		s := report.NewSnapshot(rec)
		text := fmt.Sprintf(row, s.ID, units.Time(s.Time), units.Age(s.Time),
			units.Size(s.Bytes()), units.Size(s.Stored), s.Instance)
		if s.Missing > 0 {
			text += "  incomplete: " + units.Count(s.Missing, "file") + " missing"
		}
		a.term.Item("snapshot", s, text)
	}
	a.term.Result = result
	if result.Snapshots == 0 {
		return vault.ErrEmpty
	}
	return nil
}
