package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/unlock"
	"holdfast/disk"
	"holdfast/instance/export"
	"holdfast/internal/units"
	"holdfast/remedy"
	"holdfast/vault"
)

// exportFlags are the flags of export.
type exportFlags struct {
	from   string
	unlock unlock.Flags
	output string
}

func exportCommand(a *app) *cobra.Command {
	var v exportFlags
	cmd := &cobra.Command{
		Use:   "export [SNAP|latest] -o FILE",
		Short: "Write the instance's identity: accounts with their keys, users, follows and blocks",
		Long: `Write the instance's identity: accounts with their keys, users with their
passwords, follows and blocks. The command "gotosocial admin import" reads the
file into an empty database. An export is a last resort and no backup: the file
lacks posts, media, settings and two-factor secrets. The file holds private keys:
keep it as safe as a private key.

Without SNAP, export reads the live database. With SNAP, export reads a snapshot
and needs --identity.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := v.check(a, first(args)); err != nil {
				return err
			}
			if len(args) == 0 {
				if err := a.handOver(cmd.Context()); err != nil {
					return err
				}
			}
			done, err := v.run(cmd.Context(), a, first(args))
			if err != nil {
				return problem.WithEffect(err, "nothing was written")
			}
			return v.print(a, done)
		},
	}
	fromFlag(cmd, &v.from)
	v.unlock.Define(cmd)
	cmd.Flags().StringVarP(&v.output, "output", "o", "", "write to a new `FILE` (default: standard output)")
	return cmd
}

// check refuses bad flags early, and refuses to show keys on a screen.
func (v *exportFlags) check(a *app, which string) error {
	if which == "" && (v.from != "" || v.unlock != unlock.Flags{}) {
		return problem.Usage(errors.New("--from, --identity and --passphrase need a snapshot"),
			"write holdfast export latest …; or leave out the flags, HOLDFAST_FROM and HOLDFAST_IDENTITY, "+
				"to read the live database")
	}
	if v.output == "" {
		switch {
		case a.term.JSON:
			return problem.Usage(errors.New("export writes the entries themselves, not JSON lines of Holdfast"),
				"write to a file by -o FILE, or leave out --json")
		case a.term.OnScreen():
			return problem.Usage(errors.New("an export holds private keys and password hashes, "+
				"which a screen must not show"),
				"write to a file by -o FILE, or pipe the output into a program that encrypts")
		}
		return nil
	}
	if err := makeAbsolute(&v.output); err != nil {
		return err
	}
	if err := agent.CheckNew(v.output); err != nil {
		return err
	}
	if err := disk.CheckWritable(filepath.Dir(v.output)); err != nil {
		return problem.Usage(fmt.Errorf("can't write %s: %w", v.output, err),
			"name by -o a file in a folder that this user can write into")
	}
	return nil
}

func (v *exportFlags) run(ctx context.Context, a *app, which string) (done export.Result, err error) {
	p := new(vault.Progress)
	cfg := agent.ExportConfig{File: v.output, Out: a.term.Out, Observer: a.observer(p)}
	if which != "" {
		repo, err := a.openOwned(ctx, v.from, v.unlock)
		if err != nil {
			return done, err
		}
		defer repo.Close()
		if cfg.Snapshot, err = repo.Snapshot(ctx, which, agent.ScratchFolder(v.output)); err != nil {
			return done, err
		}
	}
	err = a.term.Watch(ctx, "fetched", p, func(ctx context.Context) (err error) {
		done, err = a.home.Export(ctx, cfg)
		return err
	})
	return done, err
}

// exportResult is the result of export, for --json.
type exportResult struct {
	File     string `json:"file"`
	Accounts int64  `json:"accounts"` // local accounts, the instance's own included
	Entries  int64  `json:"entries"`
	LeftOut  int    `json:"left_out"`
}

// print shows the result of an export. An export without all rows is an error.
func (v *exportFlags) print(a *app, done export.Result) error {
	if v.output != "" {
		a.term.Result = exportResult{v.output, done.Accounts, done.Entries, len(done.LeftOut)}
		a.term.Say("✓ exported %s with their keys, %s in all, to %s", units.Count(done.Accounts, "local account"),
			units.Count(done.Entries, "line"), v.output)
		a.term.Say("  keep the file like a private key; gotosocial admin import --path FILE reads it into " +
			"an empty database")
	}
	if len(done.LeftOut) == 0 {
		return nil
	}
	a.term.WarnEach("left out: %s", done.LeftOut)
	return &remedy.Error{Kind: remedy.Incomplete,
		What:   fmt.Sprintf("exported without %s, damaged in the database", units.Count(len(done.LeftOut), "row")),
		Effect: "every local account is exported with its keys; a user who is left out can't log in",
		Fix: "an earlier snapshot may have the rows undamaged: holdfast list, " +
			"then holdfast export SNAP --identity FILE"}
}
