package commandline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/agent/secret"
	"holdfast/remedy"
)

// AskPassphrase is the value of --passphrase without a value.
const AskPassphrase = "ask"

// PassphraseFlag adds --passphrase: alone, or with an [secret.Source] after =.
func PassphraseFlag(cmd *cobra.Command, to *string, what string) {
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
		*v = AskPassphrase
	}
	return nil
}

func (v *passphraseValue) String() string { return string(*v) }

// Type keeps pflag from showing a value after a space too.
func (*passphraseValue) Type() string { return "bool" }

// JoinPassphrase joins --passphrase and the next argument, if the argument is clearly
// meant for the flag: a [secret.Source], or words. The flag refuses words. Without the
// join, an error about an unknown snapshot would show the words on the screen.
func JoinPassphrase(args []string) []string {
	for i, arg := range args {
		if arg == "--" || i+1 == len(args) {
			break
		}
		next := args[i+1]
		words := strings.ContainsAny(next, " \t") && !strings.Contains(next, "/")
		if arg == "--passphrase" && (secret.Source(next).Valid() || words) {
			return slices.Concat(args[:i], []string{arg + "=" + next}, args[i+2:])
		}
	}
	return args
}

// RefuseIdentities refuses the text of an identity in place of its file. Most flags would
// quote the text in an error about a file.
func RefuseIdentities(flags *pflag.FlagSet, args []string) error {
	where := ""
	flags.Visit(func(f *pflag.Flag) {
		if remedy.HoldsIdentity(f.Value.String()) {
			where = "--" + f.Name
		}
	})
	if slices.ContainsFunc(args, remedy.HoldsIdentity) {
		where = "the command line"
	}
	if where == "" {
		return nil
	}
	return &remedy.Error{Kind: remedy.Setting,
		What:   where + " holds an identity itself, a secret",
		Effect: "other users of this machine can read the identity in the list of processes, and the shell keeps it",
		Fix: "put the identity into a file of mode 0600 and write --identity FILE; or write --identity -, and type " +
			"the key; --owner takes a recipient (age1…)"}
}

// RefuseSecrets refuses a [secret.Source] without a flag. An argument file://… is a mistaken
// address of a storage.
func RefuseSecrets(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for _, arg := range args {
			if s := secret.Source(arg); s.Valid() && !strings.HasPrefix(arg, "file://") {
				return fmt.Errorf("%s names a secret: write it after its flag and =, as in --passphrase=%s", s, s)
			}
		}
		return check(cmd, args)
	}
}
