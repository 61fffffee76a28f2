package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/disk"
	"holdfast/seal"
)

func keyCommand(a *app) *cobra.Command {
	cmd := group(&cobra.Command{Use: "key", Short: "Make keys"})
	cmd.AddCommand(keyNewCommand(a))
	return cmd
}

// keyResult names a new key, for --json.
type keyResult struct {
	Recipient string `json:"recipient"`
	File      string `json:"file"`
}

func keyNewCommand(a *app) *cobra.Command {
	var file string
	var hybrid bool
	cmd := &cobra.Command{
		Use:   "new -o FILE",
		Short: "Make an owner's identity and print its recipient",
		Long: `Make an owner's identity, an age key, in a new file, and print its recipient for
init --owner. Run the command on the owner's own machine: then the identity never
reaches the server.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if hybrid {
				return newKey(a, file, seal.NewHybridIdentity)
			}
			return newKey(a, file, seal.NewIdentity)
		},
	}
	cmd.Flags().BoolVar(&hybrid, "pq", false, "make a post-quantum key; its recipient is long")
	cmd.Flags().StringVarP(&file, "output", "o", "", "write the identity to a new `FILE`")
	return cmd
}

// newKey makes an identity in a new file.
func newKey(a *app, file string, create func() (identity, recipient string, err error)) error {
	if file == "" {
		return usage(errors.New("the identity needs a file"), "name a new file by -o FILE")
	}
	if err := agent.CheckNew(file); err != nil {
		return err
	}
	if err := disk.CheckWritable(filepath.Dir(file)); err != nil {
		return usage(err, "make that folder, or name by -o a file in another folder")
	}
	identity, recipient, err := create()
	if err != nil {
		return err
	}
	if err := seal.SaveIdentity(file, identity, recipient, seal.RepositoryID{}); err != nil {
		return err
	}
	a.term.Result = keyResult{recipient, file}
	if !a.term.JSON {
		fmt.Fprintln(a.term.Out, recipient)
	}
	return nil
}
