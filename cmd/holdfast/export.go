package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"holdfast/disk"
	"holdfast/instance"
	"holdfast/instance/export"
	"holdfast/vault"
)

// exportVerb writes the identity of an instance.
type exportVerb struct {
	from   string
	unlock unlocking
	output string
}

func (a *app) exportCommand() *cobra.Command {
	var v exportVerb
	cmd := &cobra.Command{
		Use:   "export [SNAP|latest] -o FILE",
		Short: "Write the instance's identity: accounts with their keys, users, follows and blocks",
		Long: `Write the instance's identity as a small file that gotosocial admin import reads
into an empty database: accounts with their keys, users with their passwords,
follows and blocks. It is a last resort and no backup: posts, media, settings and
two-factor secrets are not in it. Keep the file like a private key: it holds them.

Without SNAP it reads the live database, else a snapshot, with --identity.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := v.check(a, first(args)); err != nil {
				return err
			}
			done, err := v.run(cmd.Context(), a, first(args))
			if err != nil {
				return err
			}
			return v.tell(a, done)
		},
	}
	fromFlag(cmd, &v.from)
	v.unlock.flags(cmd)
	cmd.Flags().StringVarP(&v.output, "output", "o", "", "write to a new `FILE`, else to standard output")
	return cmd
}

// exportResult is what export did, for --json.
type exportResult struct {
	File     string `json:"file"`
	Accounts int64  `json:"accounts"` // local ones, the instance's own among them
	Entries  int64  `json:"entries"`
	LeftOut  int    `json:"left_out"`
}

// tell says what was exported, and what was not.
func (v *exportVerb) tell(a *app, done export.Result) error {
	if v.output != "" {
		a.result = exportResult{v.output, done.Accounts, done.Entries, len(done.LeftOut)}
		a.say("✓ exported %s with their keys, %s in all, to %s", count(done.Accounts, "local account"), count(done.Entries, "line"), v.output)
		a.say("  keep it like a private key; gotosocial admin import --path FILE reads it into an empty database")
	}
	if len(done.LeftOut) == 0 {
		return nil
	}
	a.warnAll("left out: %s", done.LeftOut)
	return &problem{exit: exitIncomplete, err: fmt.Errorf("without %s, broken in the database", count(int64(len(done.LeftOut)), "row")),
		effect: "every local account is in it with its keys; whose user is left out can't log in", fix: "an earlier snapshot may have them whole: holdfast list, then holdfast export SNAP --identity FILE"}
}

// check refuses what would only fail later, or show keys to bystanders.
func (v *exportVerb) check(a *app, which string) error {
	if which == "" && (v.from != "" || v.unlock != unlocking{}) {
		return usage(errors.New("--from, --identity and --passphrase go with a snapshot, and none is named"),
			"holdfast export latest …; or leave them out, and HOLDFAST_FROM and HOLDFAST_IDENTITY, to read the live database")
	}
	if v.output == "" {
		switch {
		case a.json:
			return usage(errors.New("export writes the entries themselves, not JSON lines of ours"), "-o FILE, or leave out --json")
		case a.onScreen():
			return usage(errors.New("an export holds private keys and password hashes: not for a screen"), "-o FILE, or a pipe to what encrypts it")
		}
		return nil
	}
	if err := absolute(&v.output); err != nil {
		return err
	}
	if err := vacant(v.output); err != nil {
		return err
	}
	if err := writable(filepath.Dir(v.output)); err != nil {
		return usage(fmt.Errorf("can't write %s: %w", v.output, err), "name by -o a file in a folder that this user can write into")
	}
	return nil
}

// onScreen reports whether standard output is a terminal.
func (a *app) onScreen() bool {
	out := a.out
	if c, ok := out.(*checkedWriter); ok {
		out = c.w
	}
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// run puts the export together out of sight, and lets it out when it is whole:
// neither does a slow reader hold the database's transaction, nor does anybody
// take a part for the whole.
func (v *exportVerb) run(ctx context.Context, a *app, which string) (done export.Result, err error) {
	frugal()
	whole, err := disk.Scratch(besides(v.output))
	if err != nil {
		return done, err
	}
	defer whole.Close()
	if which == "" {
		done, err = a.exportLive(ctx, whole)
	} else {
		done, err = v.exportSnapshot(ctx, a, which, whole)
	}
	if err != nil {
		return done, withEffect(err, "nothing was written")
	}
	if _, err := whole.Seek(0, io.SeekStart); err != nil {
		return done, err
	}
	if v.output != "" {
		return done, copyNew(v.output, whole)
	}
	if _, err := io.Copy(a.out, whole); err != nil {
		return done, fmt.Errorf("write export: %w", err)
	}
	return done, nil
}

func (a *app) exportLive(ctx context.Context, w io.Writer) (done export.Result, err error) {
	c, err := a.config()
	if err != nil {
		return done, err
	}
	settings, err := c.Instance.settings()
	if err != nil {
		return done, err
	}
	tables, err := instance.OpenTables(ctx, settings)
	if err != nil {
		return done, err
	}
	defer tables.Close()
	return export.Write(ctx, tables, w)
}

func (v *exportVerb) exportSnapshot(ctx context.Context, a *app, which string, w io.Writer) (done export.Result, err error) {
	repo, err := a.openOwned(ctx, v.from, v.unlock)
	if err != nil {
		return done, err
	}
	defer repo.close()
	snap, err := repo.snapshot(ctx, which, besides(v.output))
	if err != nil {
		return done, err
	}
	paths, err := export.Paths(snap.Files(ctx))
	if err != nil {
		return done, fmt.Errorf("snapshot %s: %w", snap.Record.ID(), err)
	}
	p := new(vault.Progress)
	err = a.watch(ctx, "fetched", p, func(ctx context.Context) error {
		return snap.Lend(ctx, export.Bare{}, vault.RestoreConfig{Paths: paths, Progress: p}, func(dir string) error {
			done, err = export.WriteSnapshot(ctx, dir, w)
			return err
		})
	})
	return done, err
}
