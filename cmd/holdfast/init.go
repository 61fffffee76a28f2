package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/agent"
	"holdfast/agent/secret"
	"holdfast/cmd/holdfast/commandline"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/cmd/holdfast/unlock"
	"holdfast/remote"
	"holdfast/seal"
)

// initFlags are the flags of init.
type initFlags struct {
	config           agent.Config // with one remote
	paths            []string
	accessKey        string
	secretKey        string
	postgresPassword string
	owners           []string
	passphrase       string
	kit              string
	keepIdentity     bool
	flags            *pflag.FlagSet
}

func initCommand(a *app) *cobra.Command {
	v := initFlags{config: agent.Config{Remotes: make([]agent.RemoteConfig, 1)}}
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
			v.remote().AccessKey, v.remote().SecretKey = secret.Source(v.accessKey), secret.Source(v.secretKey)
			v.config.Instance.PostgresPassword = secret.Source(v.postgresPassword)
			return v.run(cmd.Context(), a)
		},
	}
	v.define(cmd)
	return cmd
}

// remote is the only remote of the configuration.
func (v *initFlags) remote() *agent.RemoteConfig { return &v.config.Remotes[0] }

// define defines the flags.
func (v *initFlags) define(cmd *cobra.Command) {
	f := cmd.Flags()
	v.flags = f
	i := &v.config.Instance
	f.StringVar(&i.GoToSocial, "gotosocial", "", "read GoToSocial's settings from its configuration `FILE`")
	f.StringVar(&i.Unit, "unit", "", "read GoToSocial's settings from its systemd `UNIT`, named by name or file")
	f.StringVar(&i.EnvFile, "env-file", "", "read GoToSocial's settings from the container's environment `FILE`")
	f.StringVar(&i.ComposeFile, "compose-file", "",
		"`FILE`, a compose file or quadlet, starts the container (default: found beside the environment file)")
	f.StringArrayVar(&v.paths, "path", nil,
		"map a container's path to its path on this machine: `THEIRS=OURS`; may be repeated")
	f.StringVar(&i.WorkingDir, "working-dir", "",
		"the server's working folder is `DIR`; relative paths in GoToSocial's configuration start there")
	f.StringVar(&i.Postgres, "postgres", "",
		"connect to PostgreSQL itself at `HOST:PORT`, if GoToSocial connects to a pooler")
	f.StringVar(&i.PostgresUser, "postgres-user", "",
		"read PostgreSQL's database as `USER`, who needs the right to read everything (default: GoToSocial's user)")
	f.StringVar(&v.postgresPassword, "postgres-password", "",
		"read the password of --postgres-user from `file:PATH`, env:NAME, cred:NAME or cmd:LINE")
	f.StringVar(&i.Binary, "binary", "",
		"ask `FILE`, GoToSocial's program, for its version (default: the unit's program, else from PATH)")
	f.StringArrayVar(&i.Extra, "extra", nil, "also back up `PATH`; may be repeated")
	f.StringArrayVar(&v.owners, "owner", nil,
		"let `RECIPIENT` restore: age1… or an ssh public key; may be repeated")
	f.StringVar(&v.kit, "kit", "", "write the recovery kit to `FILE` (default: ./holdfast-kit-DOMAIN.txt)")
	commandline.PassphraseFlag(cmd, &v.passphrase, "let a passphrase restore too")
	f.BoolVar(&v.keepIdentity, "keep-identity", false,
		"leave the identity on this host too, for drills; a thief of the host can then read every snapshot")
	f.StringVar(&v.accessKey, "access-key", "",
		"read the S3 access key from `file:PATH`, env:NAME, cred:NAME or cmd:LINE")
	f.StringVar(&v.secretKey, "secret-key", "",
		"read the S3 secret key from `file:PATH`, env:NAME, cred:NAME or cmd:LINE")
	f.StringVar(&v.remote().CA, "ca", "", "trust the storage's own certificate in `FILE`, in the form of PEM")
	f.StringVar(&i.CA, "media-ca", "", "trust the certificate of GoToSocial's own bucket in `FILE`, in the form of PEM")
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
func (v *initFlags) run(ctx context.Context, a *app) (err error) {
	if err := v.check(); err != nil {
		return err
	}
	s, err := a.home.SetUp(ctx, agent.SetUpConfig{
		Config: v.config, KitFile: v.kit, WithoutKit: len(v.owners) > 0, KeepIdentity: v.keepIdentity,
		Version: version(), Observer: a.observer(nil),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.How != "" {
		a.term.Say("✓ found        %s", s.How)
	}
	warnUnsaved(a.term, s.Instance)
	a.term.Say("✓ instance     %s: %s", s.Instance.Domain, agent.Describe(s.Instance.Facts))
	store, err := s.CreateRemote(ctx)
	if err != nil {
		return err
	}
	a.term.Say("✓ storage      %s answers", store)
	owners, err := v.parseOwners(ctx, a.term)
	if err != nil {
		return err
	}
	report, err := s.Publish(ctx, owners)
	if err != nil {
		return err
	}
	printSetUp(a, report, commandline.Again(v.flags, commandline.IsHome, "backup"))
	return nil
}

// check refuses mistakes of the command line.
func (v *initFlags) check() error {
	if len(v.owners) > 0 && (v.kit != "" || v.keepIdentity) {
		return problem.Usage(errors.New("--owner names an identity that exists; "+
			"--kit and --keep-identity are for an identity that init makes"),
			"leave out --owner, or the others")
	}
	i := &v.config.Instance
	if i.PostgresPassword != "" && i.PostgresUser == "" {
		return problem.Usage(errors.New("--postgres-password is the password of --postgres-user"),
			"name the user by --postgres-user, or leave out the password")
	}
	secrets := map[string]*secret.Source{"--access-key": &v.remote().AccessKey, "--secret-key": &v.remote().SecretKey,
		"--postgres-password": &i.PostgresPassword}
	for flag, s := range secrets {
		if err := s.Check(flag); err != nil {
			return problem.Usage(err, "")
		}
		*s = s.Absolute()
	}
	return v.resolvePaths()
}

// resolvePaths makes the paths of the configuration absolute.
func (v *initFlags) resolvePaths() error {
	i := &v.config.Instance
	var err error
	if i.Paths, err = commandline.MappedPaths(v.paths); err != nil {
		return err
	}
	paths := []*string{&i.GoToSocial, &i.EnvFile, &i.ComposeFile, &i.WorkingDir, &i.Binary, &i.CA, &v.remote().CA}
	if strings.Contains(i.Unit, "/") {
		paths = append(paths, &i.Unit)
	}
	for n := range i.Extra {
		paths = append(paths, &i.Extra[n])
	}
	return makeAbsolute(paths...)
}

// parseOwners reads the owners of --owner and --passphrase.
func (v *initFlags) parseOwners(ctx context.Context, t *terminal.Terminal) (owners []seal.Owner, err error) {
	for _, r := range v.owners {
		owner, err := seal.ParseOwner(r)
		if err != nil {
			return nil, problem.Usage(err, "holdfast key new -o FILE makes an identity and prints its recipient")
		}
		owners = append(owners, owner)
	}
	if v.passphrase == "" {
		return owners, nil
	}
	owner, err := v.passphraseOwner(ctx, t)
	return append(owners, owner), err
}

// passphraseOwner makes an owner of a passphrase. A person types a passphrase twice.
func (v *initFlags) passphraseOwner(ctx context.Context, t *terminal.Terminal) (owner seal.Owner, err error) {
	passphrase, err := unlock.ReadPassphrase(ctx, t, v.passphrase, "New passphrase: ")
	if err != nil {
		return owner, err
	}
	// A person types the passphrase of a restore. A spoilt file would lock the person out.
	if err := remote.CheckKey(passphrase); err != nil {
		return owner, problem.Usage(fmt.Errorf("the passphrase %w", err), "write the passphrase into one line of UTF-8")
	}
	if v.passphrase == commandline.AskPassphrase {
		again, err := unlock.AskSecret(ctx, t, "Repeat the passphrase: ")
		if err != nil {
			return owner, err
		}
		if again != passphrase {
			return owner, problem.Usage(errors.New("the two passphrases differ"), "run the command again")
		}
	}
	if owner, err = seal.PassphraseOwner(passphrase); err != nil {
		return owner, problem.Usage(err, "choose a passphrase of several words")
	}
	return owner, nil
}

// printSetUp shows the result of init, and the next steps of the person.
func printSetUp(a *app, report *agent.SetUpReport, next string) {
	kit := report.Kit
	a.term.Say("✓ repository   %s", kit.Repository)
	a.term.Say("✓ configured   %s (host key and index: %s)", a.home.ConfigFile, a.home.State)
	a.term.Result = initResult{kit.Instance, kit.Repository, kit.Remote, a.home.ConfigFile, report.KitFile}
	if report.KitFile != "" {
		a.term.Say("✓ recovery kit %s", report.KitFile)
		a.term.Say("\n  PRINT %s NOW, AND MOVE IT OFF THIS SERVER.\n"+
			"  The kit is the only key to your backups. This server can write backups, but not\n"+
			"  read them: if the server is lost with the kit on it, nobody can ever restore.\n", report.KitFile)
		if a.term.Quiet {
			a.term.Warn("the only key to the backups is in %s: print it, and move it off this server", report.KitFile)
		}
	}
	if report.Unsaved {
		a.term.Warn("the S3 keys came from the environment and were not saved: each run needs the same environment, "+
			"or access_key and secret_key in %s", a.home.ConfigFile)
	}
	a.term.Say("  Keep a copy of %s elsewhere too: with this file another server can continue these backups.",
		a.home.HostFile())
	a.term.Say("next: %s", next)
}
