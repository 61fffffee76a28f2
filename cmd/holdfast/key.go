package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"holdfast/seal"
)

func (a *app) keyCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "key", Short: "Make keys"})
	cmd.AddCommand(a.keyNewCommand())
	return cmd
}

type keyResult struct {
	Recipient string `json:"recipient"`
	File      string `json:"file"`
}

func (a *app) keyNewCommand() *cobra.Command {
	var file string
	var hybrid bool
	cmd := &cobra.Command{
		Use:   "new -o FILE",
		Short: "Make an owner's identity and print its recipient",
		Long: `Make an owner's identity, an age key, in a new file, and print the recipient
that goes with it, for init --owner. Run it on the owner's own machine: then the
identity never sees the server.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if file == "" {
				return usage(errors.New("no file to write the identity to"), "-o FILE")
			}
			if err := vacant(file); err != nil {
				return err
			}
			if err := writable(filepath.Dir(file)); err != nil {
				return usage(err, "make that folder, or name by -o a file in another")
			}
			create := seal.NewIdentity
			if hybrid {
				create = seal.NewHybridIdentity
			}
			identity, recipient, err := create()
			if err != nil {
				return err
			}
			if err := seal.SaveIdentity(file, identity, recipient, seal.RepositoryID{}); err != nil {
				return err
			}
			a.result = keyResult{recipient, file}
			if !a.json {
				fmt.Fprintln(a.out, recipient)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&hybrid, "pq", false, "make a post-quantum key; its recipient is long")
	cmd.Flags().StringVarP(&file, "output", "o", "", "new `FILE` for the identity")
	return cmd
}
