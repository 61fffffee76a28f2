package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/manifest"
	"holdfast/seal"
	"holdfast/vault"
)

// initVerb sets up a host and a repository.
type initVerb struct {
	remote       remoteConfig
	instance     instanceConfig
	paths        []string
	accessKey    string
	secretKey    string
	owners       []string
	passphrase   string
	kit          string
	keepIdentity bool
}

func (a *app) initCommand() *cobra.Command {
	var v initVerb
	cmd := &cobra.Command{
		Use:   "init REMOTE [--gotosocial CONFIG]",
		Short: "Set up: check the instance, make the repository, the keys and the configuration",
		Long: `Set up a host: check the instance, make a repository in REMOTE, the keys and
Holdfast's configuration file.

REMOTE is a folder (/PATH) or s3://ENDPOINT/BUCKET/PREFIX.

Without --gotosocial, --unit and --env-file it looks for the instance: a systemd
unit that runs "gotosocial server start", else a configuration in the usual
places. A server in a container is named by --env-file, --path and, where it has
one, --gotosocial.

Without --owner it makes an identity and writes it into a recovery kit: the one
thing, besides the bucket, that a restore needs. Print it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v.remote.URL = args[0]
			v.remote.AccessKey, v.remote.SecretKey = secret(v.accessKey), secret(v.secretKey)
			if err := v.run(cmd.Context(), a); err != nil {
				return err
			}
			if len(v.owners) == 0 && a.quiet {
				a.warn("the only key to the backups is in %s: print it, and move it off this server", v.kit)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.instance.GoToSocial, "gotosocial", "", "GoToSocial's configuration `FILE`")
	f.StringVar(&v.instance.Unit, "unit", "", "the systemd `UNIT` of GoToSocial's server, by name or file")
	f.StringVar(&v.instance.EnvFile, "env-file", "", "the environment `FILE` of GoToSocial's container")
	f.StringArrayVar(&v.paths, "path", nil, "`THEIRS=OURS`: a path of GoToSocial's container, and where it is here; may be repeated")
	f.StringVar(&v.instance.WorkingDir, "working-dir", "", "the server's working `DIR`, if its configuration has relative paths and lies elsewhere")
	f.StringVar(&v.instance.Binary, "binary", "", "GoToSocial's binary: `FILE`")
	f.StringArrayVar(&v.instance.Extra, "extra", nil, "one more `PATH` to back up; may be repeated")
	f.StringArrayVar(&v.owners, "owner", nil, "a `RECIPIENT` who can restore: age1… or an ssh public key; may be repeated")
	f.StringVar(&v.kit, "kit", "", "`FILE` of the recovery kit (default ./holdfast-kit-DOMAIN.txt)")
	passphraseFlag(cmd, &v.passphrase, "a passphrase that can restore too")
	f.BoolVar(&v.keepIdentity, "keep-identity", false, "leave the identity on this host too, for drills: whoever steals the host can then read every snapshot")
	f.StringVar(&v.accessKey, "access-key", "", "where the S3 access key is: `file:PATH`, env:NAME, cred:NAME or cmd:LINE")
	f.StringVar(&v.secretKey, "secret-key", "", "where the S3 secret key is: `file:PATH`, env:NAME, cred:NAME or cmd:LINE")
	f.StringVar(&v.remote.Region, "region", "", "S3 `REGION`, if the endpoint's name doesn't tell")
	return cmd
}

// initResult is what init made.
type initResult struct {
	Instance   string            `json:"instance"`
	Repository seal.RepositoryID `json:"repository"`
	Remote     string            `json:"remote"` // with its pin
	Config     string            `json:"config"`
	Kit        string            `json:"kit,omitempty"`
}

// run leaves the remote's first record for last: whatever fails before it can
// be tried again, once the files of this try are taken back.
func (v *initVerb) run(ctx context.Context, a *app) error {
	if err := v.check(a); err != nil {
		return err
	}
	if err := v.find(a); err != nil {
		return err
	}
	domain, facts, err := v.look(ctx, a)
	if err != nil {
		return err
	}
	a.say("✓ instance     %s: %s", domain, describe(facts))
	v.kit = cmp.Or(v.kit, "holdfast-kit-"+domain+".txt")
	if err := v.canWrite(a); err != nil {
		return err
	}
	unlock, err := a.lock("init")
	if err != nil {
		return err
	}
	defer unlock()
	at, store, err := v.create(ctx, a)
	if err != nil {
		return err
	}
	defer store.Close()
	a.say("✓ storage      %s answers", store)

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
	k.Remote, k.Region = at.pinned(k.Repository), at.cfg.Region
	if strings.HasPrefix(at.url, "s3") {
		v.remote.Region = at.cfg.Region // also where it came from the environment: it is no secret
	}
	undo, err := v.save(a, founding.Host, k)
	if err != nil {
		return err
	}
	if err := founding.Publish(ctx, store); err != nil {
		undo()
		if errors.Is(err, vault.ErrRefused) {
			return &problem{exit: exitRefused, err: err, effect: "nothing was changed",
				fix: "choose another prefix or folder; if an init that was cut off left this, and nothing was ever backed up there, empty it"}
		}
		return err
	}
	v.tell(a, k)
	return nil
}

// save writes the files of the host. Either all are there, or none; undo takes
// them back.
func (v *initVerb) save(a *app, host *seal.Host, k kit) (undo func(), err error) {
	if err := os.MkdirAll(filepath.Dir(a.configFile), 0o700); err != nil {
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
	write(a.hostFile(), host.Save)
	if k.Identity != "" {
		write(v.kit, k.save)
	}
	if v.keepIdentity {
		write(a.identityFile(), func(path string) error {
			return seal.SaveIdentity(path, k.Identity, k.Recipient, k.Repository)
		})
	}
	write(a.configFile, func(path string) error { return writeNew(path, v.config(k.Remote)) })
	if err != nil {
		undo()
	}
	return undo, err
}

// parseOwners reads who can restore. Where nobody is named it makes an identity
// for the kit.
func (v *initVerb) parseOwners(ctx context.Context, a *app, k *kit) (owners []seal.Owner, err error) {
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
	passphrase, err := a.passphrase(ctx, v.passphrase, "New passphrase: ")
	if err != nil {
		return nil, err
	}
	if v.passphrase == "ask" {
		again, err := a.passphrase(ctx, "ask", "The same again: ")
		if err != nil {
			return nil, err
		}
		if again != passphrase {
			return nil, usage(errors.New("the two passphrases differ"), "try again")
		}
	}
	owner, err := seal.PassphraseOwner(passphrase)
	if err != nil {
		return nil, usage(err, "choose a passphrase of several words")
	}
	return append(owners, owner), nil
}

func (v *initVerb) tell(a *app, k kit) {
	a.say("✓ repository   %s", k.Repository)
	a.say("✓ configured   %s (host key and index: %s)", a.configFile, a.state)
	result := initResult{k.Instance, k.Repository, k.Remote, a.configFile, ""}
	if k.Identity != "" {
		result.Kit = v.kit
		a.say("✓ recovery kit %s", v.kit)
		a.say("\n  PRINT %s NOW, AND MOVE IT OFF THIS SERVER.\n"+
			"  It is the only key to your backups. This server can write them, not read\n"+
			"  them: if it burns down with the kit on it, nobody can ever restore.\n", v.kit)
	}
	if strings.HasPrefix(k.Remote, "s3") && v.remote.SecretKey == "" {
		a.warn("the S3 keys came from the environment and were not saved: every run needs them there, or access_key and secret_key in %s", a.configFile)
	}
	a.say("  Keep a copy of %s elsewhere too: with it another server goes on here.", a.hostFile())
	a.say("next: holdfast backup")
	a.result = result
}

// describe sums up an instance.
func describe(f manifest.Facts) string {
	text := f.Engine
	if f.GoToSocial != "" {
		text += ", GoToSocial " + f.GoToSocial
	}
	if f.Accounts > 0 {
		text += ", " + count(f.Accounts, "local account")
	}
	if f.Statuses > 0 {
		text += ", " + count(f.Statuses, "local post")
	}
	return text
}
