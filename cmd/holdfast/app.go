package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/cmd/holdfast/unlock"
	"holdfast/internal/units"
	"holdfast/vault"
)

// app has the parts common to all commands: the terminal, and the files of the host.
type app struct {
	term *terminal.Terminal
	home agent.Home

	understood bool // the command line is read: from here on, no error is about usage
	outlives   bool // the command goes on without a reader of its output
}

func newApp(t *terminal.Terminal) *app {
	return &app{term: t, home: agent.DefaultHome()}
}

// observer passes the warnings of a job on to the terminal. p may be nil.
func (a *app) observer(p *vault.Progress) agent.Observer {
	return agent.Observer{Progress: p, Warn: func(text string) { a.term.Warn("%s", text) }}
}

// open opens a repository for reading, without a key.
func (a *app) open(ctx context.Context, from string) (*agent.Repository, error) {
	return a.home.Open(ctx, a.openConfig(from))
}

// openOwned opens a repository with the identity of an owner.
func (a *app) openOwned(ctx context.Context, from string, u unlock.Flags) (*agent.Repository, error) {
	identities, pin, err := u.Identities(ctx, a.term)
	if err != nil {
		return nil, err
	}
	cfg := a.openConfig(from)
	cfg.Identities, cfg.Pin = identities, pin
	return a.home.Open(ctx, cfg)
}

func (a *app) openConfig(from string) agent.OpenConfig {
	cfg := agent.OpenConfig{From: from, Observer: a.observer(nil)}
	if a.term.Interactive() {
		cfg.Confirm = a.confirmRepository
	}
	return cfg
}

// confirmRepository asks whether a repository without a pin is the right one.
func (a *app) confirmRepository(ctx context.Context, repo *agent.Repository) (bool, error) {
	head := repo.Head()
	answer, err := a.term.Ask(ctx, fmt.Sprintf("%s holds the repository\n  %s\nof %s, newest record of %s.\n"+
		"Compare the ID with your recovery kit. Are the two IDs equal? [y/N] ",
		repo.Location.URL, repo.ID, terminal.EscapeLine(head.Instance), units.Time(head.Time)))
	return slices.Contains([]string{"y", "yes"}, strings.ToLower(answer)), err
}

// fromFlag adds --from to a command that reads a repository.
func fromFlag(cmd *cobra.Command, from *string) {
	cmd.Flags().StringVar(from, "from", "", "read from `REMOTE` (default: the configuration's first remote)")
}

// refuseJSON refuses --json for output in a different form.
func (a *app) refuseJSON(output string) error {
	if !a.term.JSON {
		return nil
	}
	return problem.Usage(fmt.Errorf("the output is %s, not JSON", output), "leave out --json")
}

// first returns the first argument, or "".
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// makeAbsolute makes a path independent of the working directory; "" stays.
func makeAbsolute(paths ...*string) (err error) {
	for _, path := range paths {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}
