package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/remedy"
	"holdfast/seal"
)

// unlocking says how an owner opens the keys of a repository.
type unlocking struct {
	file       string // of the identity; "-" is standard input
	passphrase string // "ask", a [agent.Secret], or ""
}

func (u *unlocking) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&u.file, "identity", "",
		"read an owner's identity from `FILE`, such as the recovery kit; with -, type the key")
	passphraseFlag(cmd, &u.passphrase, "use an owner's passphrase")
}

// identities returns the owner's identities, and the repository in the header of the
// identity file.
func (u unlocking) identities(ctx context.Context, t *terminal.Terminal) ([]seal.Identity, seal.RepositoryID, error) {
	if u.passphrase != "" && u.file != "" {
		return nil, seal.RepositoryID{}, usage(errors.New("--identity and --passphrase exclude each other"),
			"leave one of them out; Holdfast asks for the passphrase of a locked identity")
	}
	if u.passphrase != "" {
		passphrase, err := readPassphrase(ctx, t, u.passphrase, "Passphrase: ")
		if err != nil {
			return nil, seal.RepositoryID{}, err
		}
		identity, err := seal.PassphraseIdentity(passphrase)
		return []seal.Identity{identity}, seal.RepositoryID{}, err
	}
	if u.file == "" {
		return nil, seal.RepositoryID{}, &remedy.Error{Kind: remedy.WrongKey,
			What: "this command needs the identity of an owner",
			Fix: "add --identity FILE, with the recovery kit as FILE; or add --identity -, and type the key " +
				"that starts with AGE-SECRET-KEY-1"}
	}
	text, err := identityText(ctx, t, u.file)
	if err != nil {
		return nil, seal.RepositoryID{}, err
	}
	identities, id, err := seal.ReadIdentities(strings.NewReader(text), func() ([]byte, error) {
		passphrase, err := askSecret(ctx, t, "Passphrase of the identity: ")
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
		line, err := askSecret(ctx, t, "Identity (AGE-SECRET-KEY-1…), not shown; spaces and small letters are fine: ")
		return joinTyped(line), err
	case file != "-":
		f, err := os.Open(file)
		if err != nil {
			return "", badIdentity(err)
		}
		defer f.Close()
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(r, maxIdentity))
	if err != nil {
		return "", badIdentity(err)
	}
	if file == "-" {
		return joinTyped(string(text)), nil
	}
	return string(text), nil
}

func badIdentity(err error) error {
	return usage(fmt.Errorf("read identity: %w", err),
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

// readPassphrase asks for a passphrase, or reads the secret from.
func readPassphrase(ctx context.Context, t *terminal.Terminal, from, question string) (string, error) {
	if from == askPassphrase {
		return askSecret(ctx, t, question)
	}
	s := agent.Secret(from)
	if !s.Valid() {
		return "", usage(errors.New("--passphrase holds a passphrase itself, "+
			"which other users see in the list of processes"),
			"write --passphrase alone, and Holdfast asks; or write --passphrase=file:PATH")
	}
	value, err := s.Read(ctx, agent.Observer{Warn: func(text string) { t.Warn("%s", text) }})
	if err != nil {
		return "", usage(err, "correct --passphrase, or the place that it names")
	}
	return value, nil
}

// askSecret asks for a line that the terminal does not show.
func askSecret(ctx context.Context, t *terminal.Terminal, question string) (string, error) {
	if !t.Interactive() {
		return "", &remedy.Error{Kind: remedy.WrongKey,
			What: "a passphrase is needed, and there is no terminal to ask for it",
			Fix:  "run the command on a terminal, or use an identity without a passphrase"}
	}
	return t.AskSecret(ctx, question)
}
