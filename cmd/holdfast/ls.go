package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/manifest"
)

func (a *app) lsCommand() *cobra.Command {
	var from string
	var u unlocking
	cmd := &cobra.Command{
		Use:   "ls SNAP [PART/PATH]",
		Short: "List the files of a snapshot, all or those below a path",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			repo, err := a.openOwned(cmd.Context(), from, u)
			if err != nil {
				return err
			}
			defer repo.close()
			snap, err := repo.snapshot(cmd.Context(), args[0], os.TempDir())
			if err != nil {
				return err
			}
			below := first(args[1:])
			var total manifest.Total
			for f, err := range snap.Files(cmd.Context()) {
				if err != nil {
					return err
				}
				name := string(f.Part) + "/" + f.Path
				if !within(name, below) {
					continue
				}
				total.Files++
				total.Bytes += f.Size
				f.Extents = nil
				a.item("file", f, fileLine(f, legible(name)))
			}
			a.result = total
			if total.Files == 0 {
				return usage(fmt.Errorf("nothing in snapshot %s is named %q", snap.Record.ID(), below), "a path starts with database, files or media")
			}
			return nil
		},
	}
	fromFlag(cmd, &from)
	u.flags(cmd)
	return cmd
}

// within reports whether a file is below a path, or that path itself; "" is
// above all.
func within(name, path string) bool {
	path = strings.TrimSuffix(path, "/")
	return path == "" || name == path || strings.HasPrefix(name, path+"/")
}

func fileLine(f manifest.File, name string) string {
	if f.Missing {
		return fmt.Sprintf("%-10s  %12s  %-16s  %s", "missing", "-", "-", name)
	}
	if f.Link != "" {
		return fmt.Sprintf("%-10s  %12s  %s  %s -> %s", "lrwxrwxrwx", "-", f.Modified.Local().Format("2006-01-02 15:04"), name, legible(string(f.Link)))
	}
	return fmt.Sprintf("%-10s  %12d  %s  %s", fs.FileMode(f.Mode), f.Size, f.Modified.Local().Format("2006-01-02 15:04"), name)
}
