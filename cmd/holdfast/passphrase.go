package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/agent"
)

// askPassphrase is the value of a --passphrase flag that stands alone.
const askPassphrase = "ask"

// passphraseFlag adds --passphrase: alone, or with an [agent.Secret] after =.
func passphraseFlag(cmd *cobra.Command, to *string, what string) {
	cmd.Flags().Var((*passphraseValue)(to), "passphrase", what+"; --passphrase alone asks for it; env:NAME, cred:NAME and cmd:LINE work too")
	cmd.Flags().Lookup("passphrase").NoOptDefVal = passphraseHelp
}

// passphraseValue is the value of a flag that may stand alone, or has = and a value.
type passphraseValue string

// passphraseHelp is what the help shows after the flag, and what pflag sets for a
// flag that stands alone.
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

// joinPassphrase joins --passphrase and the next argument, if that can only be meant
// for the flag: the name of a secret, or the words themselves. Words are refused
// later; without the join they would count as the name of a snapshot, and appear in
// an error.
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

// refuseSecrets refuses an argument that names a secret, and lost its flag.
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
