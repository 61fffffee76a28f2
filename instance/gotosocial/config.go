// Package gotosocial holds the facts about GoToSocial: its configuration, how a
// server runs on this machine, its program, its key pairs, and its database.
package gotosocial

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/pelletier/go-toml/v2"

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
	// Warnings tell where the server may see another configuration.
	Warnings []string

	UnitUser     string // "USER:GROUP" of a restored unit; either may be missing
	settings     map[string]Setting
	ServiceFiles []string          // the files of the service: unit, drop-ins, environment files
	paths        map[string]string // from folders of the container to folders of this machine
}

// Setting is a value and its origin.
type Setting struct {
	Key    string // as in the file: "db-address"
	Value  string // a list is joined by commas
	Origin Origin
}

// Origin tells where a setting comes from.
type Origin struct {
	Kind OriginKind
	// File is the file that holds the setting: the configuration file, a unit, a
	// drop-in or an environment file. A default and a variable of Holdfast's own
	// environment have no file.
	File string
}

// The engines, as records name them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// OriginKind is the kind of an origin.
type OriginKind string

// The kinds. Each kind overrides the kinds before.
const (
	FromDefault     OriginKind = "default"
	FromFile        OriginKind = "file"
	FromEnvironment OriginKind = "environment"
	FromFlag        OriginKind = "flag"
)

// From names the file, variable or flag that holds the value.
func (s Setting) From() string {
	variable := "GTS_" + strings.ToUpper(strings.ReplaceAll(s.Key, "-", "_"))
	switch o := s.Origin; {
	case o.Kind == FromFile:
		return o.File
	case o.Kind == FromEnvironment && o.File == "":
		return variable + " of Holdfast's own environment"
	case o.Kind == FromEnvironment:
		return variable + " in " + o.File
	case o.Kind == FromFlag:
		return "--" + s.Key + " in " + o.File
	}
	return string(s.Origin.Kind)
}

// Secret reports whether the value is a secret.
func (s Setting) Secret() bool {
	for _, word := range []string{"password", "secret", "access-key", "connection-string", "token"} {
		if strings.Contains(s.Key, word) {
			return true
		}
	}
	return false
}

// defaults are GoToSocial's own defaults, from internal/config/defaults.go. A setting
// that is absent here, such as db-user, has no default; [Config.Get] returns "" for it.
var defaults = map[string]string{
	"account-domain":           "",
	"db-address":               "",
	"db-database":              "gotosocial",
	"db-port":                  "5432",
	"db-tls-ca-cert":           "",
	"db-tls-mode":              "disable",
	"db-type":                  "",
	"host":                     "",
	"letsencrypt-cert-dir":     "/gotosocial/storage/certs",
	"storage-backend":          "local",
	"storage-local-base-path":  "/gotosocial/storage",
	"storage-s3-bucket":        "",
	"storage-s3-bucket-lookup": "auto",
	"storage-s3-endpoint":      "",
	"storage-s3-key-prefix":    "",
	"storage-s3-use-ssl":       "true",
	"tls-certificate-chain":    "",
	"tls-certificate-key":      "",
	"web-asset-base-dir":       "./web/assets/",
	"web-template-base-dir":    "./web/template/",
}

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
		c.set(f.key, f.value, Origin{FromFlag, f.place})
	}
}

// readFile reads the configuration file. As in GoToSocial, the extension of the file
// decides its form.
func (c *Config) readFile() error {
	ext := strings.ToLower(filepath.Ext(c.File))
	if decoders[ext] == nil {
		return &remedy.Error{
			Kind: remedy.Setting,
			What: fmt.Sprintf("%s: unknown extension %q", c.File, ext),
			Fix:  "name GoToSocial's configuration file: .yaml, .yml, .json or .toml",
		}
	}
	text, err := systemd.ReadSettings(c.File, "configuration file", "name the file of the server's --config-path")
	if err != nil {
		return err
	}
	if err := c.parse(ext, text); err != nil {
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("%s:%s not valid %s", c.File, position(err),
			strings.ToUpper(strings.TrimPrefix(ext, "."))), Fix: "correct that line"}
	}
	return nil
}

// decoders are the forms of a configuration file by the extension. JSON is a part of
// YAML.
var decoders = map[string]func([]byte, *map[string]any) error{
	".yaml": decodeYAML, ".yml": decodeYAML, ".json": decodeYAML,
	".toml": func(text []byte, tree *map[string]any) error { return toml.Unmarshal(text, tree) },
}

func decodeYAML(text []byte, tree *map[string]any) error { return yaml.Unmarshal(text, tree) }

// parse reads the text of a configuration file with the extension.
func (c *Config) parse(ext, text string) error {
	var tree map[string]any
	if err := decoders[ext]([]byte(text), &tree); err != nil {
		return err
	}
	for key, value := range tree {
		key = strings.ToLower(key)
		if nested, ok := value.(map[string]any); ok {
			c.setNested(key, nested)
		} else {
			c.setFromFile(key, value)
		}
	}
	return nil
}

// position returns the place of a syntax error as "LINE:COLUMN:", or "". The error's own
// text quotes lines of the file, and the lines may hold secrets.
func position(err error) string {
	if wrong := (*toml.DecodeError)(nil); errors.As(err, &wrong) {
		line, column := wrong.Position()
		return fmt.Sprintf("%d:%d:", line, column)
	}
	var placed yaml.Error
	if !errors.As(err, &placed) || placed.GetToken() == nil {
		return ""
	}
	at := placed.GetToken().Position
	return fmt.Sprintf("%d:%d:", at.Line, at.Column)
}

// setNested flattens the four groups that GoToSocial flattens. Like GoToSocial,
// setNested ignores all other nested keys.
func (c *Config) setNested(group string, nested map[string]any) {
	switch group {
	case "cache", "http-client", "media", "advanced":
		for key, value := range nested {
			key = group + "-" + strings.ToLower(key)
			if deeper, ok := value.(map[string]any); ok {
				for k, v := range deeper {
					c.setFromFile(key+"-"+strings.ToLower(k), v)
				}
			} else {
				c.setFromFile(key, value)
			}
		}
	}
}

func (c *Config) set(key, value string, from Origin) {
	c.settings[key] = Setting{Key: key, Value: value, Origin: from}
}

func (c *Config) setFromFile(key string, value any) {
	c.set(key, plain(value), Origin{FromFile, c.File})
}

func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = plain(item)
		}
		return strings.Join(items, ",")
	}
	return fmt.Sprint(value)
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

// Engine returns the engine of the database: SQLite, Postgres, or an unknown value.
func (c *Config) Engine() string { return strings.ToLower(c.Get("db-type")) }

// Database returns the absolute path of the SQLite database.
func (c *Config) Database() string {
	address := strings.TrimPrefix(c.Get("db-address"), "file:")
	address, _, _ = strings.Cut(address, "?")
	return c.Absolute(address)
}

// Storage returns the absolute path of the media folder.
func (c *Config) Storage() string { return c.Absolute(c.Get("storage-local-base-path")) }

// InBucket reports whether the media are in a bucket, not in a folder.
func (c *Config) InBucket() bool { return c.Get("storage-backend") == "s3" }

// relative returns the fix for a path that does not exist.
func (c *Config) relative(key string) string {
	return fmt.Sprintf("correct %s; a relative path starts at the server's working folder, here %s "+
		"(instance.working_dir); instance.paths maps the paths of a container", key, c.WorkingDir)
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
	path = filepath.Clean(path)
	for folder := path; ; folder = filepath.Dir(folder) {
		if place, ok := c.paths[folder]; ok {
			return filepath.Join(place, strings.TrimPrefix(path, folder))
		}
		if folder == filepath.Dir(folder) {
			return path
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

// Check returns an error if a setting is missing, contradictory or unsupported.
func (c *Config) Check() error {
	const nested = "write keys at the top level of the file: GoToSocial ignores nested keys"
	host, account := c.Domain(), strings.ToLower(c.Get("account-domain"))
	switch {
	case host == "":
		return &remedy.Error{Kind: remedy.Setting, What: "GoToSocial's configuration sets no host",
			Fix: "set host in the file, or GTS_HOST; " + nested}
	case host != remedy.Printable(host):
		// A record would refuse the domain, but only after the upload.
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("host %q is not a domain", host),
			Fix: "correct host"}
	case account != "" && account != host && !strings.HasSuffix(host, "."+account):
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("host %q is not a subdomain of account-domain "+
			"%q", host, account),
			Fix: "correct host and account-domain, or give Holdfast the configuration that the server reads"}
	}
	switch engine := c.Engine(); engine {
	case SQLite:
		if address := c.Get("db-address"); address == "" || strings.Contains(address, ":memory:") {
			return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("db-address %q names no file", address),
				Fix: "set db-address to the database file"}
		}
	case Postgres:
	case "":
		return &remedy.Error{Kind: remedy.Setting, What: "GoToSocial's configuration sets no db-type",
			Fix: "set db-type in the file, or GTS_DB_TYPE; " + nested}
	default:
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("db-type %q is neither sqlite nor postgres",
			engine), Fix: "set db-type to sqlite or postgres"}
	}
	switch backend := c.Get("storage-backend"); backend {
	case "local":
		if c.Get("storage-local-base-path") == "" {
			return &remedy.Error{Kind: remedy.Setting, What: "storage-local-base-path is empty",
				Fix: "set storage-local-base-path to the media folder"}
		}
		return nil
	case "s3":
		return c.CheckBucket()
	default:
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("storage-backend %q is neither local nor s3",
			backend), Fix: "set storage-backend to local or s3"}
	}
}

// CheckBucket returns an error if a setting of the bucket is missing or wrong.
func (c *Config) CheckBucket() error {
	for _, key := range []string{"storage-s3-endpoint", "storage-s3-bucket", "storage-s3-access-key",
		"storage-s3-secret-key"} {
		if c.Get(key) == "" {
			return &remedy.Error{Kind: remedy.Setting, What: "storage-backend is s3, but " + key + " is not set",
				Fix: "set the key in GoToSocial's file, or GTS_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))}
		}
	}
	if _, err := strconv.ParseBool(c.Get("storage-s3-use-ssl")); err != nil {
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("storage-s3-use-ssl %q is neither true nor "+
			"false", c.Get("storage-s3-use-ssl")), Fix: "set storage-s3-use-ssl to true or false"}
	}
	return nil
}
