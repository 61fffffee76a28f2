package main

import (
	"os"

	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/demo"
	"holdfast/cmd/holdfast/problem"
)

func demoCommand(a *app) *cobra.Command {
	var dir string
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Make a sample instance, back it up, restore it, and compare every byte",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			made, err := makeDemoFolder(dir)
			if err != nil {
				return err
			}
			if !keep {
				defer os.RemoveAll(made)
			}
			story := &demo.Story{Term: a.term, Dir: made, Version: version()}
			if err := story.Run(cmd.Context()); err != nil {
				return err
			}
			if keep {
				home := story.Home()
				a.term.Say("  Look around in %s, or try:\n    holdfast -c %s --state %s list", made, home.ConfigFile,
					home.State)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "work in the new folder `DIR` (default: a temporary folder)")
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the folder, to look around")
	return cmd
}

// makeDemoFolder makes the folder dir, or a temporary folder if dir is "", and returns
// the absolute path.
func makeDemoFolder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "holdfast-demo-*")
	}
	if err := makeAbsolute(&dir); err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", problem.Usage(err, "name a folder that does not exist yet")
	}
	return dir, nil
}
