package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/agent"
)

// askPassphrase is the value of --passphrase without a value.
const askPassphrase = "ask"

// passphraseFlag adds --passphrase: alone, or with an [agent.Secret] after =.
func passphraseFlag(cmd *cobra.Command, to *string, what string) {
	cmd.Flags().Var((*passphraseValue)(to), "passphrase",
		what+"; --passphrase alone asks for the passphrase; env:NAME, cred:NAME and cmd:LINE work too")
	cmd.Flags().Lookup("passphrase").NoOptDefVal = passphraseHelp
}

// passphraseValue is the value of a flag with an optional value.
type passphraseValue string

// passphraseHelp appears in the help after the flag. pflag also sets the flag to
// passphraseHelp if the command line has no value.
const passphraseHelp = "file:PATH"

func (v *passphraseValue) Set(s string) error {
	if *v = passphraseValue(s); s == passphraseHelp {
		*v = askPassphrase
	}
	return nil
}

func (v *passphraseValue) String() string { return string(*v) }

// Type keeps pflag from showing a value after a space too.
func (*passphraseValue) Type() string { return "bool" }

// joinPassphrase joins --passphrase and the next argument, if the argument is clearly
// meant for the flag: a [agent.Secret], or words. The flag refuses words. Without the
// join, an error about an unknown snapshot would show the words on the screen.
func joinPassphrase(args []string) []string {
	for i, arg := range args {
		if arg == "--" || i+1 == len(args) {
			break
		}
		next := args[i+1]
		words := strings.ContainsAny(next, " \t") && !strings.Contains(next, "/")
		if arg == "--passphrase" && (agent.Secret(next).Valid() || words) {
			return slices.Concat(args[:i], []string{arg + "=" + next}, args[i+2:])
		}
	}
	return args
}

// refuseSecrets refuses an [agent.Secret] without a flag.
func refuseSecrets(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for _, arg := range args {
			if s := agent.Secret(arg); s.Valid() {
				return fmt.Errorf("%s names a secret: write it after its flag and =, as in --passphrase=%s", s, s)
			}
		}
		return check(cmd, args)
	}
}
