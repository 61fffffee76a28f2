package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/manifest"
	"holdfast/seal"
)

func (a *app) showCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "show [SNAP|latest]",
		Short: "Show what a snapshot's record says; needs no key",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			repo, err := a.open(cmd.Context(), from, seal.RepositoryID{})
			if err != nil {
				return err
			}
			defer repo.close()
			rec, err := repo.Find(cmd.Context(), first(args))
			if err != nil {
				return err
			}
			s := newSnapshot(rec)
			a.result = s
			if !a.json {
				a.show(s, rec, repo.Head().Name().Hex())
			}
			return nil
		},
	}
	fromFlag(cmd, &from)
	return cmd
}

// show prints a record, and the head that --expect-head takes.
func (a *app) show(s snapshot, rec *manifest.Record, head string) {
	row := func(label, format string, args ...any) {
		fmt.Fprintf(a.out, "%-12s %s\n", label, oneLine(fmt.Sprintf(format, args...)))
	}
	row("snapshot", "%s", s.Name)
	row("number", "%d", s.Sequence)
	row("instance", "%s: %s", s.Instance, describe(rec.Facts))
	row("shows", "%s (%s ago), taken in %s", stamp(s.Time), elapsed(s.Time), took(rec.Finished.Sub(rec.Started)))
	row("migration", "%s", cmp.Or(s.Migration, "unknown"))
	for _, part := range manifest.Parts {
		total := s.Parts[part]
		var sealed int64
		for _, p := range rec.Packs[part] {
			sealed += p.Size
		}
		row(string(part), "%s in %s; %s sealed in %s", size(total.Bytes), count(total.Files, "file"), size(sealed), count(int64(len(rec.Packs[part])), "pack"))
	}
	if s.Missing > 0 {
		row("incomplete", "%s missing", count(s.Missing, "file"))
	}
	row("run", "read %s, uploaded %s", size(s.Read), size(s.Stored))
	for _, name := range rec.Previous {
		row("continues", "%s", name)
	}
	row("repository", "%s, epoch %d, %s", rec.Repository, rec.Epoch, count(int64(len(rec.Keys)), "owner"))
	row("head", "%s", head)
	row("made by", "holdfast %s, record format %d", rec.Holdfast, rec.Format)
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
