package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/report"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/internal/units"
	"holdfast/manifest"
)

func showCommand(a *app) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "show [SNAP|latest]",
		Short: "Show the record of a snapshot; needs no key",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			repo, err := a.open(cmd.Context(), from)
			if err != nil {
				return err
			}
			defer repo.Close()
			rec, err := repo.Find(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			s := report.NewSnapshot(rec)
			a.term.Result = s
			if !a.term.JSON {
				printRecord(a.term, s, rec, repo.Head().Name().Hex())
			}
			return nil
		},
	}
	fromFlag(cmd, &from)
	return cmd
}

// printRecord prints a record, and the head that --expect-head takes.
func printRecord(t *terminal.Terminal, s report.Snapshot, rec *manifest.Record, head string) {
	row := func(label, format string, args ...any) {
		fmt.Fprintf(t.Out, "%-12s %s\n", label, terminal.EscapeLine(fmt.Sprintf(format, args...)))
	}
	row("snapshot", "%s", s.Name)
	row("number", "%d", s.Sequence)
	row("instance", "%s: %s", s.Instance, agent.Describe(rec.Facts))
	row("as of", "%s (%s ago), taken in %s", units.Time(s.Time), units.Age(s.Time),
		units.Duration(rec.Finished.Sub(rec.Started)))
	row("migration", "%s", cmp.Or(s.Migration, "unknown"))
	for _, part := range manifest.Parts {
		total := s.Parts[part]
		var sealed int64
		for _, p := range rec.Packs[part] {
			sealed += p.Size
		}
		packs := units.Count(len(rec.Packs[part]), "pack")
		row(string(part), "%s in %s; %s sealed in %s",
			units.Size(total.Bytes), units.Count(total.Files, "file"), units.Size(sealed), packs)
	}
	if s.Missing > 0 {
		row("incomplete", "%s missing", units.Count(s.Missing, "file"))
	}
	row("run", "read %s, uploaded %s", units.Size(s.Read), units.Size(s.Stored))
	for _, name := range rec.Previous {
		row("continues", "%s", name)
	}
	row("repository", "%s, epoch %d, %s", rec.Repository, rec.Epoch, units.Count(len(rec.Keys), "owner"))
	row("head", "%s", head)
	row("made by", "holdfast %s, record format %d", rec.Holdfast, rec.Format)
}
