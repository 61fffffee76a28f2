// Package gotosocial knows GoToSocial: its configuration, how a server is run and
// found on this machine, its program, and what its database holds.
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

// Config is GoToSocial's configuration as its server sees it: defaults, the
// file over them, the server's environment over both, the flags of its command
// line over all. Server.Config gathers that, Load what needs no service.
type Config struct {
	File string // the configuration file; "" where the environment is all there is
	// WorkingDir is the server's working directory, which relative paths are
	// relative to.
	WorkingDir string
	Unit       string // the systemd unit that runs the server, "" where none is known
	Binary     string // the program that the unit runs, or ""
	// Warnings say what of all this may not be as the server sees it.
	Warnings []string

	UnitUser     string // "USER:GROUP" of a restored unit; either may be missing
	settings     map[string]Setting
	ServiceFiles []string          // the files of the service: unit, drop-ins, environment files
	paths        map[string]string // where the server's paths are here
}

// Setting is one value and where it comes from.
type Setting struct {
	Key    string // as in the file: "db-address"
	Value  string // lists joined by commas
	Origin Origin
}

// Origin is where a setting comes from.
type Origin struct {
	Kind  OriginKind
	Place string // the file that sets it, of a service its unit, drop-in or environment file; "" for a default and for Holdfast's own environment
}

// The engines, as records name them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// OriginKind is the kind of place that a setting comes from.
type OriginKind string

// The kinds, each stronger than the one before it.
const (
	FromDefault     OriginKind = "default"
	FromFile        OriginKind = "file"
	FromEnvironment OriginKind = "environment"
	FromFlag        OriginKind = "flag"
)

// From names the very file, variable or flag that the value comes from.
func (s Setting) From() string {
	variable := "GTS_" + strings.ToUpper(strings.ReplaceAll(s.Key, "-", "_"))
	switch o := s.Origin; {
	case o.Kind == FromFile:
		return o.Place
	case o.Kind == FromEnvironment && o.Place == "":
		return variable + " of Holdfast's own environment"
	case o.Kind == FromEnvironment:
		return variable + " in " + o.Place
	case o.Kind == FromFlag:
		return "--" + s.Key + " in " + o.Place
	}
	return string(s.Origin.Kind)
}

// Secret reports whether the value must not be shown.
func (s Setting) Secret() bool {
	for _, word := range []string{"password", "secret", "access-key", "connection-string", "token"} {
		if strings.Contains(s.Key, word) {
			return true
		}
	}
	return false
}

// defaults are those of the settings that are read here: GoToSocial's
// internal/config/defaults.go.
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

// Load reads the configuration file, unless file is "", and the GTS_ variables
// of env, which has the form of os.Environ.
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
			c.set(key, v.Value, Origin{FromEnvironment, v.Place})
		}
	}
}

func (c *Config) setFlags(flags []flag) {
	for _, f := range flags {
		c.set(f.key, f.value, Origin{FromFlag, f.place})
	}
}

// readFile reads the configuration file. GoToSocial goes by its ending, too.
func (c *Config) readFile() error {
	ext := strings.ToLower(filepath.Ext(c.File))
	if decoders[ext] == nil {
		return &remedy.Error{
			Kind: remedy.Setting,
			What: fmt.Sprintf("%s: its name ends in %q", c.File, ext),
			Fix:  "name GoToSocial's configuration file: .yaml, .yml, .json or .toml",
		}
	}
	text, err := systemd.ReadSettings(c.File, "configuration file", "name the file that the server gets by --config-path")
	if err != nil {
		return err
	}
	if err := c.parse(ext, text); err != nil {
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("%s:%s this is no %s that GoToSocial reads", c.File, place(err), strings.ToUpper(strings.TrimPrefix(ext, "."))), Fix: "correct that line"}
	}
	return nil
}

// decoders are the forms of a configuration file, by its ending. JSON is a part
// of YAML.
var decoders = map[string]func([]byte, *map[string]any) error{
	".yaml": decodeYAML, ".yml": decodeYAML, ".json": decodeYAML,
	".toml": func(text []byte, tree *map[string]any) error { return toml.Unmarshal(text, tree) },
}

func decodeYAML(text []byte, tree *map[string]any) error { return yaml.Unmarshal(text, tree) }

// parse reads the text of a configuration file with that ending.
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

// place is where a file is wrong, as "LINE:COLUMN:" if that is known. The error's
// own words quote the lines around, and there are secrets in them.
func place(err error) string {
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

// setNested flattens the four groups that GoToSocial flattens. Any other
// nested key it ignores without a word, and so do we.
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

// Settings are all known settings, by key.
func (c *Config) Settings() []Setting {
	return slices.SortedFunc(maps.Values(c.settings), func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
}

// Get is a setting's value, "" where nothing sets it.
func (c *Config) Get(key string) string { return c.settings[key].Value }

// Domain is the host: the name that other servers know the instance by.
func (c *Config) Domain() string { return strings.ToLower(c.Get("host")) }

// Engine is the kind of the database: SQLite or Postgres where it is a known one.
func (c *Config) Engine() string { return strings.ToLower(c.Get("db-type")) }

// Database is the absolute path of the SQLite file.
func (c *Config) Database() string {
	address := strings.TrimPrefix(c.Get("db-address"), "file:")
	address, _, _ = strings.Cut(address, "?")
	return c.Absolute(address)
}

// Storage is the absolute path of the media directory.
func (c *Config) Storage() string { return c.Absolute(c.Get("storage-local-base-path")) }

// InBucket reports whether the media are in a bucket, not in a directory.
func (c *Config) InBucket() bool { return c.Get("storage-backend") == "s3" }

// relative says how to mend a path that leads nowhere.
func (c *Config) relative(key string) string {
	return fmt.Sprintf("correct %s; a relative path starts at the server's working directory, taken to be %s (instance.working_dir), and a container's path is mapped by instance.paths", key, c.WorkingDir)
}

// PathError is an error of opening what a setting names.
func (c *Config) PathError(what, key string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &remedy.Error{Kind: remedy.Source, What: "can't read the " + what, Err: err, Fix: "run Holdfast as root or as the user who owns it"}
	}
	return &remedy.Error{Kind: remedy.Source, What: "no " + what, Err: err, Fix: c.relative(key)}
}

// Absolute is path as the server resolves it, and where that is here; "" stays "".
func (c *Config) Absolute(path string) string {
	if path == "" {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.WorkingDir, path)
	}
	return c.Here(path)
}

// Here is the server's absolute path as it is on this side of its container:
// what the longest mapped folder above it says.
func (c *Config) Here(path string) string {
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

// InContainer reports whether a path on this side lies in a folder of the container.
func (c *Config) InContainer(path string) bool {
	for _, ours := range c.paths {
		if below, err := filepath.Rel(ours, path); err == nil && filepath.IsLocal(below) {
			return true
		}
	}
	return false
}

// Check finds what is missing, contradictory or beyond this version.
func (c *Config) Check() error {
	const nested = "keys stand at the top level of the file: GoToSocial ignores nested ones"
	host, account := c.Domain(), strings.ToLower(c.Get("account-domain"))
	switch {
	case host == "":
		return &remedy.Error{Kind: remedy.Setting, What: "GoToSocial's configuration sets no host", Fix: "set host in the file, or GTS_HOST; " + nested}
	case host != remedy.Printable(host):
		// Records refuse it, and that would be after the upload.
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("host %q is no domain", host), Fix: "correct host"}
	case account != "" && account != host && !strings.HasSuffix(host, "."+account):
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("host %q is no subdomain of account-domain %q", host, account),
			Fix: "give Holdfast the configuration that the server runs with"}
	}
	switch engine := c.Engine(); engine {
	case SQLite:
		if address := c.Get("db-address"); address == "" || strings.Contains(address, ":memory:") {
			return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("db-address %q names no file", address), Fix: "set db-address to the database file"}
		}
	case Postgres:
	case "":
		return &remedy.Error{Kind: remedy.Setting, What: "GoToSocial's configuration sets no db-type", Fix: "set db-type in the file, or GTS_DB_TYPE; " + nested}
	default:
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("db-type %q is neither sqlite nor postgres", engine), Fix: "correct db-type"}
	}
	switch backend := c.Get("storage-backend"); backend {
	case "local":
		if c.Get("storage-local-base-path") == "" {
			return &remedy.Error{Kind: remedy.Setting, What: "storage-local-base-path is empty", Fix: "set it to the media directory"}
		}
		return nil
	case "s3":
		return c.CheckBucket()
	default:
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("storage-backend %q is neither local nor s3", backend), Fix: "correct storage-backend"}
	}
}

// CheckBucket finds what is missing of the settings of a bucket.
func (c *Config) CheckBucket() error {
	for _, key := range []string{"storage-s3-endpoint", "storage-s3-bucket", "storage-s3-access-key", "storage-s3-secret-key"} {
		if c.Get(key) == "" {
			return &remedy.Error{Kind: remedy.Setting, What: "storage-backend is s3, and " + key + " is not set",
				Fix: "set it in GoToSocial's file, or GTS_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))}
		}
	}
	if _, err := strconv.ParseBool(c.Get("storage-s3-use-ssl")); err != nil {
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("storage-s3-use-ssl %q is neither true nor false", c.Get("storage-s3-use-ssl")), Fix: "correct storage-s3-use-ssl"}
	}
	return nil
}
