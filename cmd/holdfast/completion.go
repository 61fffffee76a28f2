package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func completionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a script that completes commands and flags in a shell",
		Long: `Print a script that completes commands and flags in a shell:

  holdfast completion bash > /etc/bash_completion.d/holdfast
  holdfast completion zsh  > /usr/local/share/zsh/site-functions/_holdfast
  holdfast completion fish > ~/.config/fish/completions/holdfast.fish`,
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.refuseJSON("a script for the shell"); err != nil {
				return err
			}
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(a.term.Out, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(a.term.Out)
			case "fish":
				return cmd.Root().GenFishCompletion(a.term.Out, true)
			}
			return usage(fmt.Errorf("no completion for the shell %s", args[0]), "name bash, zsh or fish")
		},
	}
}
