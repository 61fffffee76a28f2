// Package gotosocial holds the facts about GoToSocial: its configuration, how a
// server runs on this machine, its program, its key pairs, and its database.
package gotosocial

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/instance/systemd"
	"holdfast/remedy"
)

// Config is GoToSocial's configuration as the server sees it. The file overrides the
// defaults, the environment overrides the file, and the flags of the command line
// override all. [Server.Config] reads the configuration of a service, [Load] a file
// and an environment.
type Config struct {
	File string // the configuration file; "" if all settings come from elsewhere
	// WorkingDir is the server's working directory. Relative paths start there.
	WorkingDir string
	Unit       string // the systemd unit that runs the server, or ""
	Binary     string // the program that the unit runs, or ""
	// Container reports that the server runs in a container.
	Container bool
	// Starter is the compose file or quadlet that starts the container, or "".
	Starter string
	// PostgresServer is "HOST:PORT" of the PostgreSQL server itself, if GoToSocial connects
	// to a pooler; else "".
	PostgresServer string
	// PostgresUser and PostgresPassword are Holdfast's own user of PostgreSQL, if Holdfast
	// does not read as GoToSocial's user; else "".
	PostgresUser, PostgresPassword string
	LockWait                       time.Duration // how long a backup waits for locks of PostgreSQL; 0: the default
	// Warnings tell where the server may see another configuration.
	Warnings []string

	// Overriding are variables and flags of the restored server with other places for
	// database or media than a given configuration file.
	Overriding []Setting

	UnitUser     string // "USER:GROUP" of a restored unit; either may be missing
	settings     map[string]Setting
	ServiceFiles []string // the files of the service: unit, drop-ins, environment files
	// StarterFiles are the starter and the files that it names. Another user may have put a
	// link there: a link may lead only to files of the link's user.
	StarterFiles []string
	paths        map[string]string // from folders of the container to folders of this machine
}

// The engines, as records name them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Load reads a configuration file, unless file is "", and the GTS_ variables of env.
// The form of env is that of [os.Environ].
func Load(file string, env []string) (*Config, error) {
	return Server{File: file, Environment: env, alone: true}.Config()
}

func newConfig() *Config {
	c := &Config{settings: map[string]Setting{}}
	for key, value := range defaults {
		c.set(key, value, Origin{Kind: FromDefault})
	}
	return c
}

func (c *Config) setVariables(vars []systemd.Variable) {
	for _, v := range vars {
		if key, ok := settingKey(v); ok {
			c.set(key, v.Value, Origin{FromEnvironment, v.File})
		}
	}
}

func (c *Config) setFlags(flags []flag) {
	for _, f := range flags {
		c.set(f.key, f.value, Origin{FromFlag, f.file})
	}
}

func (c *Config) set(key, value string, from Origin) {
	c.settings[key] = Setting{Key: key, Value: value, Origin: from}
}

// Settings returns all settings in the order of their keys.
func (c *Config) Settings() []Setting {
	return slices.SortedFunc(maps.Values(c.settings), func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
}

// Get returns the value of a setting, or "".
func (c *Config) Get(key string) string { return c.settings[key].Value }

// Domain returns the domain by which other servers know the instance: the setting
// host.
func (c *Config) Domain() string { return strings.ToLower(c.Get("host")) }

// AccountDomain returns the domain in the names of the accounts.
func (c *Config) AccountDomain() string {
	return cmp.Or(strings.ToLower(c.Get("account-domain")), c.Domain())
}

// Engine returns the engine of the database: SQLite, Postgres, or an unknown value.
func (c *Config) Engine() string { return strings.ToLower(c.Get("db-type")) }

// Database returns the absolute path of the SQLite database.
func (c *Config) Database() string { return c.Absolute(sqlitePath(c.Get("db-address"))) }

// Storage returns the absolute path of the media folder.
func (c *Config) Storage() string { return c.Absolute(c.Get("storage-local-base-path")) }

// InBucket reports whether the media are in a bucket, not in a folder.
func (c *Config) InBucket() bool { return c.Get("storage-backend") == "s3" }

// Bucket returns the name of the bucket with the media, or "" for media in a folder.
func (c *Config) Bucket() string {
	if !c.InBucket() {
		return ""
	}
	return c.Get("storage-s3-bucket")
}

// LocalPlaces returns the absolute paths of the database and of the media folder on this
// machine. A database of a server has the path "", and so have media in a bucket.
func (c *Config) LocalPlaces() (database, media string) {
	for _, s := range c.places() {
		if s.Key == "db-address" {
			database = c.Absolute(s.Value)
		} else {
			media = c.Absolute(s.Value)
		}
	}
	return database, media
}

// relative returns the fix for a path that does not exist.
func (c *Config) relative(key string) string {
	return fmt.Sprintf("correct %s; a relative path starts at the server's working folder, here %s "+
		"(instance.working_dir); instance.paths (init --path THEIRS=OURS) maps the paths of a container", key,
		c.WorkingDir)
}

// PathError explains an error of opening the file or folder that a setting names.
func (c *Config) PathError(what, key string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &remedy.Error{Kind: remedy.Source, What: "can't read the " + what, Err: err,
			Fix: "run Holdfast as root or as the file's user"}
	}
	return &remedy.Error{Kind: remedy.Source, What: "can't find the " + what, Err: err, Fix: c.relative(key)}
}

// Absolute returns the path on this machine for a path of the configuration. For ""
// Absolute returns "".
func (c *Config) Absolute(path string) string {
	if path == "" {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.WorkingDir, path)
	}
	return c.LocalPath(path)
}

// LocalPath returns the path on this machine for an absolute path of the server. The
// longest folder in [Server.Paths] above the path decides.
func (c *Config) LocalPath(path string) string {
	ours, _ := c.mapped(path)
	return ours
}

// mapped is [Config.LocalPath]. ok reports whether a folder in [Server.Paths] decided.
func (c *Config) mapped(path string) (ours string, ok bool) {
	path = filepath.Clean(path)
	for folder := path; ; folder = filepath.Dir(folder) {
		if ours, ok := c.paths[folder]; ok {
			return filepath.Join(ours, strings.TrimPrefix(path, folder)), true
		}
		if folder == filepath.Dir(folder) {
			return path, false
		}
	}
}

// InContainer reports whether a path on this machine lies in a folder of the
// container.
func (c *Config) InContainer(path string) bool {
	for _, ours := range c.paths {
		if below, err := filepath.Rel(ours, path); err == nil && filepath.IsLocal(below) {
			return true
		}
	}
	return false
}
