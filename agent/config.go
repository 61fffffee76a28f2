package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/agent/secret"
	"holdfast/disk"
	"holdfast/internal/units"
	"holdfast/remedy"
)

// Config is Holdfast's configuration file.
type Config struct {
	Instance InstanceConfig `yaml:"instance"`
	Remotes  []RemoteConfig `yaml:"remotes"`
	Spool    units.Bytes    `yaml:"spool"`   // disk for packs that wait for the remote; default 1 GiB
	Workers  int            `yaml:"workers"` // default 2

	File     string        `yaml:"-"` // the file that the configuration was read from
	Root     string        `yaml:"-"` // as [Home.Root]
	Patience time.Duration `yaml:"-"` // with servers that don't answer; default: that of a nightly run
}

// InstanceConfig locates the GoToSocial instance. The default of WorkingDir without a
// unit is the folder of GoToSocial's configuration.
type InstanceConfig struct {
	GoToSocial       string            `yaml:"gotosocial"`        // GoToSocial's configuration; default: the unit's
	Unit             string            `yaml:"unit"`              // the server's systemd unit; default: found
	EnvFile          string            `yaml:"env_file"`          // the environment file of the server's container
	ComposeFile      string            `yaml:"compose_file"`      // starts the container; default: found
	Paths            map[string]string `yaml:"paths"`             // paths of the container, and paths on this machine
	WorkingDir       string            `yaml:"working_dir"`       // of the server; default: the unit's
	Binary           string            `yaml:"binary"`            // GoToSocial's program; default: found
	Postgres         string            `yaml:"postgres"`          // HOST:PORT of PostgreSQL behind GoToSocial's pooler
	PostgresUser     string            `yaml:"postgres_user"`     // reads the database; default: GoToSocial's user
	PostgresPassword secret.Source     `yaml:"postgres_password"` // of PostgresUser
	CA               string            `yaml:"ca"`                // PEM file of the certificate of GoToSocial's bucket
	LockWait         units.Span        `yaml:"lock_wait"`         // for locks of PostgreSQL sessions; default 5m
	Extra            []string          `yaml:"extra"`             // more files and folders to back up
}

// RemoteConfig is a remote.
type RemoteConfig struct {
	URL       string        `yaml:"url"` // may carry the repository's ID as #hf1…
	AccessKey secret.Source `yaml:"access_key"`
	SecretKey secret.Source `yaml:"secret_key"`
	Region    string        `yaml:"region"`
	CA        string        `yaml:"ca"` // PEM file of the storage's own certificate
}

// maxConfigFile bounds the configuration file, in bytes. An ordinary file has 300.
const maxConfigFile = 1 << 20

// Config reads the configuration file.
func (h Home) Config() (*Config, error) {
	err := h.checkConfigGuarded()
	var f *os.File
	if err == nil {
		f, err = disk.Open(h.ConfigFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &remedy.Error{Kind: remedy.Setting,
			What: "the configuration file " + h.ConfigFile + " does not exist",
			Fix: sudoFix() + "run holdfast init, which writes the file; or name another file by -c FILE; " +
				"commands that only read take --from REMOTE instead"}
	}
	if remedy.Is(err, remedy.Refused) {
		return nil, err
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, &remedy.Error{Kind: remedy.Setting, Err: err,
			Fix: sudoFix() + "run Holdfast as the user who owns its configuration, or name another file by -c FILE"}
	}
	if err != nil {
		return nil, &remedy.Error{Kind: remedy.Setting, What: "the configuration can't be read", Err: err,
			Fix: "name the configuration file by -c FILE"}
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o022 != 0 {
		return nil, &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("other users can change %s, and a configuration can run commands as you", h.ConfigFile),
			Fix:  "check the contents of the file, then run: chmod 600 " + h.ConfigFile}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfigFile {
		return nil, &remedy.Error{Kind: remedy.Setting,
			What: fmt.Sprintf("%s is larger than %s", h.ConfigFile, units.Size(maxConfigFile)),
			Fix:  "name Holdfast's own configuration by -c FILE"}
	}
	c, err := parseConfig(text)
	if err != nil {
		return nil, &remedy.Error{Kind: remedy.Setting, Err: fmt.Errorf("%s:%w", h.ConfigFile, err),
			Fix: "correct that line; holdfast config check tries the whole file"}
	}
	c.File, c.Root = h.ConfigFile, h.Root
	return c, nil
}

func (c *Config) check() error {
	for i, r := range c.Remotes {
		if err := r.check(fmt.Sprintf("remotes[%d]", i)); err != nil {
			return err
		}
	}
	if err := c.Instance.check(); err != nil {
		return err
	}
	if c.Workers < 0 || c.Workers > 64 {
		return fmt.Errorf("workers: %d is not between 1 and 64", c.Workers)
	}
	return nil
}

func (r RemoteConfig) check(key string) error {
	if !filepath.IsAbs(r.URL) && !strings.Contains(r.URL, "://") {
		return fmt.Errorf("%s.url: %q is not a remote: write s3://ENDPOINT/BUCKET/PREFIX, "+
			"or the absolute path of a folder", key, r.URL)
	}
	for name, s := range map[string]secret.Source{"access_key": r.AccessKey, "secret_key": r.SecretKey} {
		if err := s.CheckSetting(key + "." + name); err != nil {
			return err
		}
	}
	if r.CA != "" && !filepath.IsAbs(r.CA) {
		return fmt.Errorf("%s.ca: path %q is relative: write an absolute path", key, r.CA)
	}
	return nil
}

func (c InstanceConfig) check() error {
	if err := c.PostgresPassword.CheckSetting("instance.postgres_password"); err != nil {
		return err
	}
	if c.PostgresPassword != "" && c.PostgresUser == "" {
		return errors.New("instance.postgres_password: the password has no user: set instance.postgres_user")
	}
	paths := append([]string{c.GoToSocial, c.EnvFile, c.ComposeFile, c.WorkingDir, c.Binary, c.CA}, c.Extra...)
	if strings.Contains(c.Unit, "/") {
		paths = append(paths, c.Unit)
	}
	for theirs, ours := range c.Paths {
		if theirs == "" || ours == "" {
			return fmt.Errorf("instance.paths: %q: %q lacks one of the two paths", theirs, ours)
		}
		paths = append(paths, theirs, ours)
	}
	for _, path := range paths {
		if path != "" && !filepath.IsAbs(path) {
			return fmt.Errorf("instance: path %q is relative: write an absolute path", path)
		}
	}
	return nil
}
