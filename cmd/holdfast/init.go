package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/remedy"
	"holdfast/seal"
	"holdfast/vault"
)

// setup is a run of init. It has the flags, and later also the findings of the run.
type setup struct {
	config       agent.Config // with one remote
	paths        []string
	accessKey    string
	secretKey    string
	owners       []string
	passphrase   string
	kit          string
	keepIdentity bool
}

func initCommand(a *app) *cobra.Command {
	v := setup{config: agent.Config{Remotes: make([]agent.RemoteConfig, 1)}}
	cmd := &cobra.Command{
		Use:   "init REMOTE [--gotosocial CONFIG]",
		Short: "Set up: check the instance, make the repository, the keys and the configuration",
		Long: `Set up a host: check the instance, then make the repository in REMOTE, the keys
and Holdfast's configuration file.

REMOTE is a folder (/PATH) or s3://ENDPOINT/BUCKET/PREFIX.

Without --gotosocial, --unit and --env-file, init looks for the instance: for a
systemd unit that runs "gotosocial server start", then for config.yaml in
/gotosocial, or in gotosocial/ below /etc, /opt, /srv or /var/lib. For a server
in a container, give --env-file, --path and, if the container has a
configuration file, --gotosocial.

Without --owner, init makes an identity and writes it into a recovery kit. A
restore needs the bucket and this kit: print it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v.remote().URL = args[0]
			v.remote().AccessKey, v.remote().SecretKey = agent.Secret(v.accessKey), agent.Secret(v.secretKey)
			if err := v.run(cmd.Context(), a); err != nil {
				return err
			}
			if len(v.owners) == 0 && a.term.Quiet {
				a.term.Warn("the only key to the backups is in %s: print it, and move it off this server", v.kit)
			}
			return nil
		},
	}
	v.define(cmd)
	return cmd
}

// remote is the only remote of the configuration.
func (v *setup) remote() *agent.RemoteConfig { return &v.config.Remotes[0] }

// define defines the flags.
func (v *setup) define(cmd *cobra.Command) {
	f := cmd.Flags()
	i := &v.config.Instance
	f.StringVar(&i.GoToSocial, "gotosocial", "", "read GoToSocial's settings from its configuration `FILE`")
	f.StringVar(&i.Unit, "unit", "", "read GoToSocial's settings from its systemd `UNIT`, named by name or file")
	f.StringVar(&i.EnvFile, "env-file", "", "read GoToSocial's settings from the container's environment `FILE`")
	f.StringArrayVar(&v.paths, "path", nil,
		"map a container's path to its path on this machine: `THEIRS=OURS`; may be repeated")
	f.StringVar(&i.WorkingDir, "working-dir", "",
		"the server's working folder is `DIR`; relative paths in GoToSocial's configuration start there")
	f.StringVar(&i.Binary, "binary", "",
		"ask `FILE`, GoToSocial's program, for its version (default: the unit's program, else from PATH)")
	f.StringArrayVar(&i.Extra, "extra", nil, "also back up `PATH`; may be repeated")
	f.StringArrayVar(&v.owners, "owner", nil,
		"let `RECIPIENT` restore: age1… or an ssh public key; may be repeated")
	f.StringVar(&v.kit, "kit", "", "write the recovery kit to `FILE` (default: ./holdfast-kit-DOMAIN.txt)")
	passphraseFlag(cmd, &v.passphrase, "let a passphrase restore too")
	f.BoolVar(&v.keepIdentity, "keep-identity", false,
		"leave the identity on this host too, for drills; a thief of the host can then read every snapshot")
	f.StringVar(&v.accessKey, "access-key", "",
		"read the S3 access key from `file:PATH`, env:NAME, cred:NAME or cmd:LINE")
	f.StringVar(&v.secretKey, "secret-key", "",
		"read the S3 secret key from `file:PATH`, env:NAME, cred:NAME or cmd:LINE")
	f.StringVar(&v.remote().Region, "region", "", "the bucket is in `REGION` (default: found in the endpoint's name)")
}

// initResult is the result of init, for --json.
type initResult struct {
	Instance   string            `json:"instance"`
	Repository seal.RepositoryID `json:"repository"`
	Remote     string            `json:"remote"` // with its pin
	Config     string            `json:"config"`
	Kit        string            `json:"kit,omitempty"`
}

// run puts the remote's first record last. After an earlier failure, run removes the
// new files, and a person can try again.
func (v *setup) run(ctx context.Context, a *app) (err error) {
	if err := v.check(a); err != nil {
		return err
	}
	if err := v.findInstance(a); err != nil {
		return err
	}
	domain, facts, err := v.inspect(ctx, a)
	if err != nil {
		return err
	}
	a.term.Say("✓ instance     %s: %s", domain, describe(facts))
	v.kit = cmp.Or(v.kit, "holdfast-kit-"+domain+".txt")
	if err := v.checkWritable(a); err != nil {
		return err
	}
	unlock, err := a.home.Lock("init")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	l, store, err := v.create(ctx, a)
	if err != nil {
		return err
	}
	defer store.Close()
	a.term.Say("✓ storage      %s answers", store)

	k := kit{Instance: domain}
	owners, err := v.parseOwners(ctx, a, &k)
	if err != nil {
		return err
	}
	founding, err := vault.NewFounding(domain, version(), owners)
	if err != nil {
		return err
	}
	k.Repository = founding.Host.Repository
	k.Remote, k.Region = l.Pinned(k.Repository), l.Remote.Region
	if strings.HasPrefix(l.URL, "s3") {
		v.remote().Region = l.Remote.Region // one from the environment too: a region is not secret
	}
	undo, err := v.save(a, founding.Host, k)
	if err != nil {
		return err
	}
	if err := founding.Publish(ctx, store); err != nil {
		undo()
		if errors.Is(err, vault.ErrRefused) {
			return &remedy.Error{Kind: remedy.Refused, Err: err, Effect: "nothing was changed",
				Fix: "choose another prefix or folder; if an interrupted init left these objects, " +
					"and the place holds no backup, delete them"}
		}
		return err
	}
	v.print(a, k)
	return nil
}

// save writes all files of the host, or no file. undo removes the files.
func (v *setup) save(a *app, host *seal.Host, k kit) (undo func(), err error) {
	if err := os.MkdirAll(filepath.Dir(a.home.ConfigFile), 0o700); err != nil {
		return nil, err
	}
	var made []string
	undo = func() {
		for _, path := range made {
			os.Remove(path)
		}
	}
	write := func(path string, write func(string) error) {
		if err == nil {
			if err = write(path); err == nil {
				made = append(made, path)
			}
		}
	}
	write(a.home.HostFile(), host.Save)
	if k.Identity != "" {
		write(v.kit, k.save)
	}
	if v.keepIdentity {
		write(a.home.IdentityFile(), func(path string) error {
			return seal.SaveIdentity(path, k.Identity, k.Recipient, k.Repository)
		})
	}
	write(a.home.ConfigFile, func(path string) error {
		v.remote().URL = k.Remote
		text, err := v.config.Text()
		if err != nil {
			return err
		}
		return agent.WriteNew(path, strings.NewReader(text))
	})
	if err != nil {
		undo()
	}
	return undo, err
}

// parseOwners reads the owners. Without owners parseOwners makes an identity for the
// kit.
func (v *setup) parseOwners(ctx context.Context, a *app, k *kit) (owners []seal.Owner, err error) {
	recipients := v.owners
	if len(recipients) == 0 {
		if k.Identity, k.Recipient, err = seal.NewIdentity(); err != nil {
			return nil, err
		}
		recipients = []string{k.Recipient}
	}
	for _, r := range recipients {
		owner, err := seal.ParseOwner(r)
		if err != nil {
			return nil, usage(err, "holdfast key new -o FILE makes an identity and prints its recipient")
		}
		owners = append(owners, owner)
	}
	if v.passphrase == "" {
		return owners, nil
	}
	owner, err := v.passphraseOwner(ctx, a.term)
	return append(owners, owner), err
}

// passphraseOwner makes an owner of a passphrase. A person types a passphrase twice.
func (v *setup) passphraseOwner(ctx context.Context, t *terminal.Terminal) (owner seal.Owner, err error) {
	passphrase, err := readPassphrase(ctx, t, v.passphrase, "New passphrase: ")
	if err != nil {
		return owner, err
	}
	if v.passphrase == askPassphrase {
		again, err := askSecret(ctx, t, "Repeat the passphrase: ")
		if err != nil {
			return owner, err
		}
		if again != passphrase {
			return owner, usage(errors.New("the two passphrases differ"), "run the command again")
		}
	}
	if owner, err = seal.PassphraseOwner(passphrase); err != nil {
		return owner, usage(err, "choose a passphrase of several words")
	}
	return owner, nil
}

// print shows the result of init, and the next steps of the person.
func (v *setup) print(a *app, k kit) {
	a.term.Say("✓ repository   %s", k.Repository)
	a.term.Say("✓ configured   %s (host key and index: %s)", a.home.ConfigFile, a.home.State)
	result := initResult{k.Instance, k.Repository, k.Remote, a.home.ConfigFile, ""}
	if k.Identity != "" {
		result.Kit = v.kit
		a.term.Say("✓ recovery kit %s", v.kit)
		a.term.Say("\n  PRINT %s NOW, AND MOVE IT OFF THIS SERVER.\n"+
			"  The kit is the only key to your backups. This server can write backups, but not\n"+
			"  read them: if the server is lost with the kit on it, nobody can ever restore.\n", v.kit)
	}
	if strings.HasPrefix(k.Remote, "s3") && v.remote().SecretKey == "" {
		a.term.Warn("the S3 keys came from the environment and were not saved: each run needs the same environment, "+
			"or access_key and secret_key in %s", a.home.ConfigFile)
	}
	a.term.Say("  Keep a copy of %s elsewhere too: with this file another server can continue these backups.",
		a.home.HostFile())
	a.term.Say("next: holdfast backup")
	a.term.Result = result
}
