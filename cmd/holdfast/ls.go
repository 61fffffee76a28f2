package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/cmd/holdfast/unlock"
	"holdfast/manifest"
)

func lsCommand(a *app) *cobra.Command {
	var from string
	var u unlock.Flags
	cmd := &cobra.Command{
		Use:   "ls SNAP [PART/PATH]",
		Short: "List the files of a snapshot, or the files below a path",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := terminal.Unquote(first(args[1:]))
			if len(args) > 1 {
				if err := checkPartPath(path); err != nil {
					return err
				}
			}
			repo, err := a.openOwned(cmd.Context(), from, u)
			if err != nil {
				return err
			}
			defer repo.Close()
			return listFiles(cmd.Context(), a.term, repo, args[0], path)
		},
	}
	fromFlag(cmd, &from)
	u.Define(cmd)
	return cmd
}

// listFiles prints the files below a path, and the folders without a file.
func listFiles(ctx context.Context, t *terminal.Terminal, repo *agent.Repository, which, path string) error {
	snap, err := repo.Snapshot(ctx, which, os.TempDir())
	if err != nil {
		return err
	}
	var total manifest.Total
	var folder manifest.File // the file before, if a folder
	var folders int64        // without a file
	// printFolder prints the folder before, unless the next path lies below the folder.
	printFolder := func(next string) {
		if folder.Folder && !strings.HasPrefix(next, folder.Path+"/") {
			t.Item("file", folder, terminal.FileLine(folder))
			folders++
		}
	}
	for f, err := range snap.Files(ctx) {
		if err != nil {
			return err
		}
		if !agent.Below(f, path) {
			continue
		}
		printFolder(f.Path)
		if folder = f; f.Folder {
			continue
		}
		total.Files++
		total.Bytes += f.Size
		f.Extents = nil
		t.Item("file", f, terminal.FileLine(f))
	}
	printFolder("")
	t.Result = total
	if total.Files+folders == 0 {
		return problem.Usage(fmt.Errorf("snapshot %s has no file %q", snap.Record.ID(), path),
			"choose one of the files that holdfast ls SNAP lists")
	}
	return nil
}
