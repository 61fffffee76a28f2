package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// command is the tree of verbs.
func (a *app) command() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "holdfast",
		Short: "Replicate a GoToSocial instance to object storage, and rebuild it from there",
		Long: `Holdfast replicates a GoToSocial instance to object storage and rebuilds it
from there: from the bucket, an age identity and nothing else.

  holdfast init REMOTE                        once
  holdfast backup                             every night
  holdfast restore --identity KIT --to DIR    when the day comes`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := mirror(cmd.Flags()); err != nil {
				return err
			}
			if !slices.Contains([]string{"auto", "plain", "none"}, a.progress) {
				return fmt.Errorf("--progress %q is none of auto, plain, none", a.progress)
			}
			a.ready = true
			return nil
		},
	})
	f := root.PersistentFlags()
	f.StringVarP(&a.configFile, "config", "c", defaultConfigFile(), "Holdfast's configuration `FILE`")
	f.StringVar(&a.state, "state", defaultState(), "`DIR` of host key, index and spool")
	f.StringVar(&a.progress, "progress", "auto", "`HOW` to show progress: auto, plain or none")
	f.BoolVar(&a.json, "json", false, "print JSON lines; the last one is a summary, also on failure")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print warnings and errors only")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "print more")
	root.SetFlagErrorFunc(suggestFlag)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetHelpCommand(helpCommand())
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if a.json {
			cmd.SetOut(a.err) // standard output is for JSON
		}
		help(cmd, args)
	})
	root.Flags().Bool("version", false, "print the version, as the verb does")
	showHelp := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if asked, err := cmd.Flags().GetBool("version"); err != nil || !asked {
			return errors.Join(err, showHelp(cmd, args))
		}
		a.tellVersion()
		return nil
	}
	root.AddCommand(
		a.initCommand(), a.backupCommand(),
		a.listCommand(), a.showCommand(), a.lsCommand(), a.catCommand(), a.diffCommand(),
		a.restoreCommand(), a.verifyCommand(), a.exportCommand(),
		a.keyCommand(), a.configCommand(), a.demoCommand(),
		a.completionCommand(), a.manCommand(), a.versionCommand(),
	)
	for _, c := range root.Commands() {
		c.Args = noPlaces(c.Args)
	}
	return root
}

// helpCommand is for who types help before a verb, not --help behind it.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "help [VERB]",
		Short:  "Show how a verb is used",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			verb, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("unknown verb %q", rest[0])
			}
			if err != nil {
				return usage(err, "holdfast --help lists the verbs")
			}
			return verb.Help()
		},
	}
}

// noPlaces names an argument that is the place of a secret, and lost its flag.
func noPlaces(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for _, arg := range args {
			if s := secret(arg); s != "" && s.check("") == nil {
				return fmt.Errorf("%s is the place of a secret: write it behind its flag and =, as in --passphrase=%s", s, s)
			}
		}
		return check(cmd, args)
	}
}

// errHelp ends a command line without a verb: help was shown, nothing was done.
var errHelp = errors.New("help was shown")

// group makes a command that only holds others name a mistyped one.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, c := range cmd.Commands() {
			if !c.Hidden && near(args[0], c.Name()) {
				names = append(names, c.Name())
			}
		}
		return fmt.Errorf("unknown verb %q%s", args[0], didYouMean(names))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SetOut(cmd.ErrOrStderr())
		return errors.Join(cmd.Help(), errHelp)
	}
	return cmd
}

func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(names, " or ") + "?"
}

// suggestFlag adds the nearest flag to the error about an unknown one.
func suggestFlag(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return fmt.Errorf("--%s: %w", invalid.GetFlag().Name, badValue(err))
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if near(unknown.GetSpecifiedName(), f.Name) {
			names = append(names, "--"+f.Name)
		}
	})
	return fmt.Errorf("%w%s", err, didYouMean(names))
}

// badValue is the error about a flag's value without Go's words.
func badValue(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool" {
		return fmt.Errorf("%q is neither true nor false", invalid.GetValue())
	}
	return err
}

// mirror fills flags that the command line doesn't set from the environment:
// HOLDFAST_CONFIG for --config. Lists are separated by commas.
func mirror(flags *pflag.FlagSet) error {
	var bad error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "HOLDFAST_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := os.Getenv(name)
		if value == "" || f.Changed || f.Name == "help" || f.Name == "version" {
			return
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if err := flags.Set(f.Name, v); err != nil {
				bad = errors.Join(bad, fmt.Errorf("%s: %w", name, badValue(err)))
			}
		}
	})
	return bad
}

// asksJSON looks for --json where the command line could not be read.
func asksJSON(args []string) bool {
	return slices.Contains(args, "--json") || slices.Contains([]string{"1", "true"}, os.Getenv("HOLDFAST_JSON"))
}

// verbOf is the command without the program's name: "key new".
func verbOf(cmd *cobra.Command) string {
	_, verb, _ := strings.Cut(cmd.CommandPath(), " ")
	return verb
}

func join(words ...string) string { return strings.TrimSpace(strings.Join(words, " ")) }
