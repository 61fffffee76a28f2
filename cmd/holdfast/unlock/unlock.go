// Package unlock gets an owner's keys from a person: from an identity file, from paper,
// or from a passphrase.
package unlock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"holdfast/agent/secret"
	"holdfast/cmd/holdfast/commandline"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/disk"
	"holdfast/remedy"
	"holdfast/seal"
)

// Flags say how an owner opens the keys of a repository.
type Flags struct {
	File       string // of the identity; "-" is standard input
	Passphrase string // "ask", a [secret.Source], or ""
}

// Define defines the flags.
func (u *Flags) Define(cmd *cobra.Command) {
	cmd.Flags().StringVar(&u.File, "identity", "",
		"read an owner's identity from `FILE`, such as the recovery kit; with -, type the key")
	commandline.PassphraseFlag(cmd, &u.Passphrase, "use an owner's passphrase")
}

// Identities returns the owner's identities, and the repository in the header of the
// identity file.
func (u Flags) Identities(ctx context.Context, t *terminal.Terminal) ([]seal.Identity, seal.RepositoryID, error) {
	if u.Passphrase != "" && u.File != "" {
		return nil, seal.RepositoryID{}, problem.Usage(errors.New("--identity and --passphrase exclude each other"),
			"leave one of them out; Holdfast asks for the passphrase of a locked identity")
	}
	if u.Passphrase != "" {
		passphrase, err := ReadPassphrase(ctx, t, u.Passphrase, "Passphrase: ")
		if err != nil {
			return nil, seal.RepositoryID{}, err
		}
		identity, err := seal.PassphraseIdentity(passphrase)
		return []seal.Identity{identity}, seal.RepositoryID{}, err
	}
	if u.File == "" {
		return nil, seal.RepositoryID{}, &remedy.Error{Kind: remedy.WrongKey,
			What: "this command needs the identity of an owner",
			Fix: "add --identity FILE, with the recovery kit as FILE; or add --identity -, and type the key " +
				"that starts with AGE-SECRET-KEY-1"}
	}
	text, err := identityText(ctx, t, u.File)
	if err != nil {
		return nil, seal.RepositoryID{}, err
	}
	identities, id, err := seal.ReadIdentities(strings.NewReader(text), func() ([]byte, error) {
		passphrase, err := AskSecret(ctx, t, "Passphrase of the identity: ")
		return []byte(passphrase), err
	})
	if said := (*remedy.Error)(nil); err != nil && ctx.Err() == nil && !errors.As(err, &said) {
		return nil, id, &remedy.Error{Kind: remedy.WrongKey, Err: err,
			Fix: "name the recovery kit, or the file that holdfast key new wrote"}
	}
	return identities, id, err
}

// maxIdentity bounds an identity file, in bytes.
const maxIdentity = 64 << 10

func identityText(ctx context.Context, t *terminal.Terminal, file string) (string, error) {
	var r io.Reader = t.In
	switch {
	case file == "-" && t.Interactive():
		line, err := AskSecret(ctx, t, "Identity (AGE-SECRET-KEY-1…), not shown; spaces and small letters are fine: ")
		return joinTyped(line), err
	case file != "-":
		f, err := os.Open(file)
		if err != nil {
			return "", badIdentity(err)
		}
		defer f.Close()
		r = f
	}
	text, err := disk.ReadAtMost(r, cmp.Or(strings.TrimPrefix(file, "-"), "the input"), maxIdentity)
	if err != nil {
		return "", badIdentity(err)
	}
	if file == "-" {
		return joinTyped(seal.PlainText(text)), nil
	}
	return string(text), nil
}

func badIdentity(err error) error {
	return problem.Usage(fmt.Errorf("read identity: %w", err),
		"name a file that this user can read: the recovery kit, or the file that holdfast key new wrote; "+
			"or add --identity -, and type the key")
}

// joinTyped joins a key that a person typed from paper, in groups and over several
// lines. A key from a file needs no joining.
func joinTyped(text string) string {
	if strings.Contains(text, "-----BEGIN") || strings.HasPrefix(text, "age-encryption.org/") {
		return text
	}
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			lines = append(lines, strings.TrimSpace(line))
			continue
		}
		key := strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, line)
		begins := strings.HasPrefix(strings.ToUpper(key), "AGE-")
		if last := len(lines) - 1; !begins && last >= 0 && !strings.HasPrefix(lines[last], "#") {
			lines[last] += key
		} else if key != "" {
			lines = append(lines, key)
		}
	}
	return strings.Join(lines, "\n")
}

// ReadPassphrase asks for a passphrase, or reads the secret from.
func ReadPassphrase(ctx context.Context, t *terminal.Terminal, from, question string) (string, error) {
	if from == commandline.AskPassphrase {
		return AskSecret(ctx, t, question)
	}
	s := secret.Source(from)
	if !s.Valid() {
		return "", problem.Usage(errors.New("--passphrase holds a passphrase itself, "+
			"which other users see in the list of processes"),
			"write --passphrase alone, and Holdfast asks; or write --passphrase=file:PATH")
	}
	value, err := s.Read(ctx, func(text string) { t.Warn("%s", text) })
	if err != nil {
		return "", problem.Usage(err, "correct --passphrase, or the place that it names")
	}
	return value, nil
}

// AskSecret asks for a line that the terminal does not show.
func AskSecret(ctx context.Context, t *terminal.Terminal, question string) (string, error) {
	if !t.Interactive() {
		return "", &remedy.Error{Kind: remedy.WrongKey,
			What: "a passphrase is needed, and there is no terminal to ask for it",
			Fix:  "run the command on a terminal, or use an identity without a passphrase"}
	}
	return t.AskSecret(ctx, question)
}
