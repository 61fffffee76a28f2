package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/commandline"
	"holdfast/cmd/holdfast/problem"
)

// rootCommand is the tree of commands.
func rootCommand(a *app) *cobra.Command {
	root := commandline.Group(&cobra.Command{
		Use:   "holdfast",
		Short: "Back up a GoToSocial instance to object storage, and rebuild the instance from there",
		Long: `Holdfast backs up a GoToSocial instance to object storage, and rebuilds the
instance from there. A restore needs the bucket, an owner's key and nothing else.

  holdfast init REMOTE                                      once
  holdfast backup                                           every night
  holdfast restore --from REMOTE --identity KIT             rebuild the server on a fresh machine
  holdfast restore --from REMOTE --identity KIT --to DIR    restore into a folder`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if err := commandline.FillFlags(cmd.Flags()); err != nil {
				return err
			}
			if !slices.Contains([]string{"auto", "plain", "none"}, a.term.Progress) {
				return fmt.Errorf("--progress %q is not auto, plain or none", a.term.Progress)
			}
			a.understood = true
			return commandline.RefuseIdentities(cmd.Flags(), args)
		},
	})
	globalFlags(a, root)
	root.SetIn(a.term.In)
	root.SetOut(a.term.Out)
	root.SetErr(a.term.Err)
	root.SetHelpCommand(helpCommand())
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if a.term.JSON {
			cmd.SetOut(a.term.Err) // standard output is for JSON
		}
		help(cmd, args)
	})
	root.Flags().Bool("version", false, "print the version, as holdfast version does")
	showHelp := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if asked, err := cmd.Flags().GetBool("version"); err != nil || !asked {
			return errors.Join(err, showHelp(cmd, args))
		}
		printVersion(a)
		return nil
	}
	root.AddCommand(
		outlive(a, asUser(a, initCommand(a))), outlive(a, asUser(a, backupCommand(a))),
		asUser(a, listCommand(a)), asUser(a, showCommand(a)), lsCommand(a), catCommand(a), diffCommand(a),
		outlive(a, restoreCommand(a)), outlive(a, asUser(a, verifyCommand(a))), exportCommand(a),
		keyCommand(a), configCommand(a), demoCommand(a),
		completionCommand(a), manCommand(a), versionCommand(a),
	)
	commandline.CheckArguments(root)
	return root
}

func globalFlags(a *app, root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVarP(&a.home.ConfigFile, "config", "c", a.home.ConfigFile, "read Holdfast's configuration from `FILE`")
	f.StringVar(&a.home.State, "state", a.home.State, "keep the host key, the index and the spool in `DIR`")
	f.StringVar(&a.term.Progress, "progress", "auto", "show progress as `HOW`: auto, plain or none")
	f.BoolVar(&a.term.JSON, "json", false, "print JSON lines; the last line is a summary, also after a failure")
	f.BoolVarP(&a.term.Quiet, "quiet", "q", false, "print warnings and errors only")
	f.BoolVarP(&a.term.Verbose, "verbose", "v", false, "print more")
	root.SetFlagErrorFunc(commandline.SuggestFlag)
}

// helpCommand is for people who write help before a command instead of --help after
// the command.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]",
		Short:  "Show how to use a command",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("unknown command %q", rest[0])
			}
			if err != nil {
				return problem.Usage(err, "holdfast --help lists the commands")
			}
			return c.Help()
		},
	}
}

// commandName is the command without the program's name: "key new".
func commandName(cmd *cobra.Command) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}
