package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/terminal"
	"holdfast/cmd/holdfast/unlock"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/vault"
)

// change is a difference between two snapshots, for --json.
type change struct {
	Change string        `json:"change"` // "added", "removed", "changed"
	Part   manifest.Part `json:"part"`
	Path   string        `json:"path"`
	Before int64         `json:"before"` // bytes
	After  int64         `json:"after"`
	Pages  int64         `json:"pages,omitempty"` // of a database: at most so many differ
	// The snapshot before or after names the file without the bytes.
	MissingBefore bool `json:"missing_before,omitempty"`
	MissingAfter  bool `json:"missing_after,omitempty"`
	// The target, if the file is a symbolic link before or after.
	LinkBefore manifest.Link `json:"link_before,omitempty"`
	LinkAfter  manifest.Link `json:"link_after,omitempty"`
	Folder     bool          `json:"folder,omitempty"`
}

type diffResult struct {
	Added   int64 `json:"added"`
	Removed int64 `json:"removed"`
	Changed int64 `json:"changed"`
}

func diffCommand(a *app) *cobra.Command {
	var from string
	var u unlock.Flags
	cmd := &cobra.Command{
		Use:   "diff SNAP SNAP",
		Short: "Show which files differ between two snapshots",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			repo, err := a.openOwned(cmd.Context(), from, u)
			if err != nil {
				return err
			}
			defer repo.Close()
			before, err := repo.Snapshot(cmd.Context(), args[0], os.TempDir())
			if err != nil {
				return err
			}
			after, err := repo.Snapshot(cmd.Context(), args[1], os.TempDir())
			if err != nil {
				return err
			}
			var result diffResult
			for c, err := range vault.Diff(cmd.Context(), before, after) {
				if err != nil {
					return err
				}
				result.count(c)
				a.term.Item("change", newChange(c), changeLine(newChange(c)))
			}
			a.term.Result = result
			a.term.Say("%s added, %d removed, %d changed", units.Count(result.Added, "file"), result.Removed,
				result.Changed)
			return nil
		},
	}
	fromFlag(cmd, &from)
	u.Define(cmd)
	return cmd
}

func (r *diffResult) count(c vault.Change) {
	switch c.Kind {
	case "added":
		r.Added++
	case "removed":
		r.Removed++
	default:
		r.Changed++
	}
}

func newChange(c vault.Change) change {
	out := change{Change: c.Kind, Pages: c.PagesN}
	if c.A != nil {
		out.Part, out.Path, out.Before, out.MissingBefore = c.A.Part, c.A.Path, c.A.Size, c.A.Missing
		out.LinkBefore, out.Folder = c.A.Link, c.A.Folder
	}
	if c.B != nil {
		out.Part, out.Path, out.After, out.MissingAfter = c.B.Part, c.B.Path, c.B.Size, c.B.Missing
		out.LinkAfter, out.Folder = c.B.Link, out.Folder || c.B.Folder
	}
	return out
}

func changeLine(c change) string {
	before, after := amount(c.Before, c.MissingBefore, c.LinkBefore), amount(c.After, c.MissingAfter, c.LinkAfter)
	sign, detail := "~", before
	switch {
	case c.Change == "added":
		sign, detail = "+", after
	case c.Change == "removed":
		sign = "-"
	case before != after:
		detail += " -> " + after
	}
	if c.Folder {
		detail = "folder"
	}
	if c.Pages > 0 {
		detail += fmt.Sprintf(", up to %s", units.Count(c.Pages, "page"))
	}
	return fmt.Sprintf("%s %s  (%s)", sign, terminal.Quote(string(c.Part)+"/"+c.Path), detail)
}

// amount is the size of a file, "missing", or the target of a link.
func amount(bytes int64, missing bool, link manifest.Link) string {
	switch {
	case missing:
		return "missing"
	case link != "":
		return "link to " + terminal.Quote(string(link))
	}
	return units.Size(bytes)
}
