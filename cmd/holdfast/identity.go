package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"holdfast/seal"
)

// unlocking is how an owner proves to be one.
type unlocking struct {
	file       string // of the identity; "-" is standard input
	passphrase string // "ask" or a secret's place; "" for none
}

func (u *unlocking) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&u.file, "identity", "", "an owner's identity or recovery kit: `FILE`, or - to type it")
	passphraseFlag(cmd, &u.passphrase, "an owner's passphrase")
}

// passphraseFlag adds --passphrase: "ask" where it stands alone, else the place
// of a secret.
func passphraseFlag(cmd *cobra.Command, to *string, what string) {
	cmd.Flags().Var((*joined)(to), "passphrase", what+": alone it is asked for; env:NAME, cred:NAME and cmd:LINE are other places")
	cmd.Flags().Lookup("passphrase").NoOptDefVal = joinedHelp
}

// joined is a flag's value that stands behind =, for the flag may stand alone.
type joined string

// joinedHelp is what the help shows behind the flag, and what pflag sets for a
// flag that stands alone.
const joinedHelp = "file:PATH"

func (j *joined) Set(s string) error {
	if *j = joined(s); s == joinedHelp {
		*j = "ask"
	}
	return nil
}

func (j *joined) String() string { return string(*j) }

// Type keeps pflag from showing a value behind a space as well.
func (*joined) Type() string { return "bool" }

// joinPassphrase joins --passphrase and what follows it where that can only be
// meant for it: the place of a secret, or the words themselves, which then are
// refused instead of taken for a snapshot's name and printed.
func joinPassphrase(args []string) []string {
	for i, arg := range args {
		if arg == "--" || i+1 == len(args) {
			break
		}
		next := args[i+1]
		place := secret(next).check("") == nil && next != ""
		words := strings.ContainsAny(next, " \t") && !strings.Contains(next, "/")
		if arg == "--passphrase" && (place || words) {
			return slices.Concat(args[:i], []string{arg + "=" + next}, args[i+2:])
		}
	}
	return args
}

// identities reads what the flags name, and the repository that the identity
// file says it belongs to.
func (a *app) identities(ctx context.Context, u unlocking) ([]seal.Identity, seal.RepositoryID, error) {
	if u.passphrase != "" && u.file != "" {
		return nil, seal.RepositoryID{}, usage(errors.New("--identity and --passphrase are two ways in"), "leave one out; the passphrase of a locked identity is asked for")
	}
	if u.passphrase != "" {
		passphrase, err := a.passphrase(ctx, u.passphrase, "Passphrase: ")
		if err != nil {
			return nil, seal.RepositoryID{}, err
		}
		identity, err := seal.PassphraseIdentity(passphrase)
		return []seal.Identity{identity}, seal.RepositoryID{}, err
	}
	if u.file == "" {
		return nil, seal.RepositoryID{}, &problem{exit: exitKey, err: errors.New("this needs an owner's identity, and none was given"),
			fix: "--identity FILE with the recovery kit, or --identity - to type the key that starts with AGE-SECRET-KEY-1"}
	}
	text, err := a.identityText(ctx, u.file)
	if err != nil {
		return nil, seal.RepositoryID{}, err
	}
	identities, id, err := seal.ReadIdentities(strings.NewReader(text), func() ([]byte, error) {
		passphrase, err := a.secretLine(ctx, "Passphrase of the identity: ")
		return []byte(passphrase), err
	})
	var said *problem
	if err != nil && ctx.Err() == nil && !errors.As(err, &said) {
		return nil, id, &problem{exit: exitKey, err: err, fix: "name the recovery kit, or the file that holdfast key new wrote"}
	}
	return identities, id, err
}

// maxIdentity bounds an identity file, in bytes.
const maxIdentity = 64 << 10

func (a *app) identityText(ctx context.Context, file string) (string, error) {
	var r io.Reader = a.in
	switch {
	case file == "-" && term.IsTerminal(int(a.in.Fd())):
		line, err := a.secretLine(ctx, "Identity (AGE-SECRET-KEY-1…), not shown; spaces and small letters are fine: ")
		return typed(line), err
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
		return typed(string(text)), nil
	}
	return string(text), nil
}

func badIdentity(err error) error {
	return usage(fmt.Errorf("read identity: %w", err), "name a file that this user can read: the recovery kit, or what holdfast key new wrote; --identity - to type the key")
}

// typed puts a key together that somebody typed from paper, in groups and over
// several lines. Keys that come from a file stay as they are.
func typed(text string) string {
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

// passphrase asks for a passphrase, or reads it from where it is kept.
func (a *app) passphrase(ctx context.Context, from, prompt string) (string, error) {
	if from == "ask" {
		return a.secretLine(ctx, prompt)
	}
	s := secret(from)
	if err := s.check("--passphrase"); err != nil {
		return "", usage(errors.New("--passphrase holds a passphrase itself, which other users see in the list of processes"),
			"give --passphrase alone to be asked, or --passphrase=file:PATH")
	}
	value, warning, err := s.read(ctx)
	if err != nil {
		return "", usage(err, "correct --passphrase, or what it leads to")
	}
	if warning != "" {
		a.warn("%s", warning)
	}
	return value, nil
}

// secretLine asks for a line that isn't shown.
func (a *app) secretLine(ctx context.Context, prompt string) (string, error) {
	fd := int(a.in.Fd())
	if !term.IsTerminal(fd) {
		return "", &problem{exit: exitKey, err: errors.New("a passphrase is needed, and there is no terminal to ask for it"),
			fix: "run it on a terminal, or use an identity without a passphrase"}
	}
	fmt.Fprint(a.err, prompt)
	line, err := a.prompt(ctx, func() (string, error) {
		text, err := term.ReadPassword(fd)
		return string(text), err
	})
	fmt.Fprintln(a.err)
	return strings.TrimSpace(line), err
}

// prompt reads from the terminal. A read there can't be called off, so Ctrl-C
// ends the program on the spot, with the terminal as it was.
func (a *app) prompt(ctx context.Context, read func() (string, error)) (string, error) {
	before, err := term.GetState(int(a.in.Fd()))
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() {
		term.Restore(int(a.in.Fd()), before)
		fmt.Fprintln(a.err)
		os.Exit(exitInterrupted)
	})
	defer stop()
	line, err := read()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return line, err
}
