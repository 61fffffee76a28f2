package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/manifest"
	"holdfast/seal"
)

type listResult struct {
	Repository seal.RepositoryID `json:"repository"`
	Head       string            `json:"head"`
	Snapshots  int               `json:"snapshots"`
}

func (a *app) listCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the snapshots; needs no key",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			repo, err := a.open(cmd.Context(), from, seal.RepositoryID{})
			if err != nil {
				return err
			}
			defer repo.close()
			result := listResult{Repository: repo.ID, Head: repo.Head().Name().Hex()}
			records := repo.Records()
			for i := len(records) - 1; i >= 0; i-- {
				rec := records[i]
				if rec.Kind != manifest.KindBackup {
					continue
				}
				if result.Snapshots == 0 && !a.json {
					fmt.Fprintf(a.out, "%-10s  %-20s  %-7s  %10s  %10s  %s\n", "SNAPSHOT", "TIME", "AGE", "SIZE", "UPLOADED", "INSTANCE")
				}
				result.Snapshots++
				s := newSnapshot(rec)
				text := fmt.Sprintf("%s  %-20s  %-7s  %10s  %10s  %s", s.ID, stamp(s.Time), elapsed(s.Time), size(s.bytes()), size(s.Stored), s.Instance)
				if s.Missing > 0 {
					text += "  incomplete: " + count(s.Missing, "file") + " missing"
				}
				a.item("snapshot", s, text)
			}
			if result.Snapshots == 0 {
				a.say("no snapshots yet; holdfast backup makes one")
			}
			a.result = result
			return nil
		},
	}
	fromFlag(cmd, &from)
	return cmd
}
