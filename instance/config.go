package instance

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Config is GoToSocial's configuration as its server sees it: defaults, the
// file over them, the environment over both. Flags on the server's command
// line can't be seen from here.
type Config struct {
	File string // the configuration file; "" where the environment is all there is
	// WorkingDir is the server's working directory, which relative paths are
	// relative to. Load sets it to the folder of the file.
	WorkingDir string

	settings map[string]Setting
}

// Setting is one value and where it comes from.
type Setting struct {
	Key    string // as in the file: "db-address"
	Value  string // lists joined by commas
	Origin Origin
}

// Origin is where a setting comes from.
type Origin string

// The origins, each stronger than the one before it.
const (
	FromDefault     Origin = "default"
	FromFile        Origin = "file"
	FromEnvironment Origin = "environment"
)

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

// maxConfig bounds the configuration file: GoToSocial's own example has 50 KiB.
const maxConfig = 1 << 20

// Load reads the configuration file, unless file is "", and the GTS_ variables
// of env, which has the form of os.Environ.
func Load(file string, env []string) (*Config, error) {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	c := &Config{WorkingDir: dir, settings: map[string]Setting{}}
	for key, value := range defaults {
		c.set(key, value, FromDefault)
	}
	if file != "" {
		c.File = filepath.Join(dir, filepath.Base(file))
		if err := c.readFile(); err != nil {
			return nil, fmt.Errorf("read GoToSocial's configuration: %w", err)
		}
	}
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		// The server takes an empty variable for none.
		if key, ok := strings.CutPrefix(name, "GTS_"); ok && key != "" && value != "" {
			c.set(strings.ReplaceAll(strings.ToLower(key), "_", "-"), value, FromEnvironment)
		}
	}
	return c, nil
}

func (c *Config) readFile() error {
	switch ext := strings.ToLower(filepath.Ext(c.File)); ext {
	case ".yaml", ".yml", ".json":
	case ".toml":
		return &Problem{
			What: fmt.Sprintf("%s: TOML is not read by this version", c.File),
			Fix:  "write the same keys as YAML, for Holdfast alone or for both, and name that file",
			Err:  errors.ErrUnsupported,
		}
	default:
		return &Problem{
			What: fmt.Sprintf("%s: its name ends in %q", c.File, ext),
			Fix:  "name GoToSocial's configuration file: .yaml, .yml or .json",
		}
	}
	f, err := os.Open(c.File)
	if err != nil {
		return &Problem{What: "no configuration file", Err: err,
			Fix: "name the file that the server gets by --config-path, or run Holdfast as a user who may read it"}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return err
	}
	if len(text) > maxConfig {
		return &Problem{What: fmt.Sprintf("%s is larger than %d bytes", c.File, maxConfig), Fix: "name GoToSocial's configuration file"}
	}
	if err := c.parse(text); err != nil {
		return &Problem{What: c.File + ":" + place(err) + " this is no YAML that GoToSocial reads", Fix: "correct that line"}
	}
	return nil
}

// parse reads YAML, of which JSON is a part.
func (c *Config) parse(text []byte) error {
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return err
	}
	for key, value := range tree {
		key = strings.ToLower(key)
		if nested, ok := value.(map[string]any); ok {
			c.setNested(key, nested)
		} else {
			c.set(key, plain(value), FromFile)
		}
	}
	return nil
}

// place is where YAML is wrong, as "LINE:COLUMN:" if that is known. The error's
// own words quote the lines around, and there are secrets in them.
func place(err error) string {
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
					c.set(key+"-"+strings.ToLower(k), plain(v), FromFile)
				}
			} else {
				c.set(key, plain(value), FromFile)
			}
		}
	}
}

func (c *Config) set(key, value string, from Origin) {
	c.settings[key] = Setting{Key: key, Value: value, Origin: from}
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
	return c.absolute(address)
}

// Storage is the absolute path of the media directory.
func (c *Config) Storage() string { return c.absolute(c.Get("storage-local-base-path")) }

// InBucket reports whether the media are in a bucket, not in a directory.
func (c *Config) InBucket() bool { return c.Get("storage-backend") == "s3" }

// relative says how to mend a path that leads nowhere.
func (c *Config) relative(key string) string {
	return fmt.Sprintf("correct %s; a relative path starts at the server's working directory, taken to be %s", key, c.WorkingDir)
}

// absolute is path as the server resolves it; "" stays "".
func (c *Config) absolute(path string) string {
	if path == "" {
		return ""
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.WorkingDir, path)
}

// check finds what is missing, contradictory or beyond this version.
func (c *Config) check() error {
	const nested = "keys stand at the top level of the file: GoToSocial ignores nested ones"
	host, account := c.Domain(), strings.ToLower(c.Get("account-domain"))
	switch {
	case host == "":
		return &Problem{What: "GoToSocial's configuration sets no host", Fix: "set host in the file, or GTS_HOST; " + nested}
	case host != printable(host):
		// Records refuse it, and that would be after the upload.
		return &Problem{What: fmt.Sprintf("host %q is no domain", host), Fix: "correct host"}
	case account != "" && account != host && !strings.HasSuffix(host, "."+account):
		return &Problem{What: fmt.Sprintf("host %q is no subdomain of account-domain %q", host, account),
			Fix: "give Holdfast the configuration that the server runs with"}
	}
	switch engine := c.Engine(); engine {
	case SQLite:
		if address := c.Get("db-address"); address == "" || strings.Contains(address, ":memory:") {
			return &Problem{What: fmt.Sprintf("db-address %q names no file", address), Fix: "set db-address to the database file"}
		}
	case Postgres:
	case "":
		return &Problem{What: "GoToSocial's configuration sets no db-type", Fix: "set db-type in the file, or GTS_DB_TYPE; " + nested}
	default:
		return &Problem{What: fmt.Sprintf("db-type %q is neither sqlite nor postgres", engine), Fix: "correct db-type"}
	}
	switch backend := c.Get("storage-backend"); backend {
	case "local":
		if c.Get("storage-local-base-path") == "" {
			return &Problem{What: "storage-local-base-path is empty", Fix: "set it to the media directory"}
		}
		return nil
	case "s3":
		_, err := c.Bucket()
		return err
	default:
		return &Problem{What: fmt.Sprintf("storage-backend %q is neither local nor s3", backend), Fix: "correct storage-backend"}
	}
}

// BucketSettings are how the server reaches the bucket of its media. They are
// never printed.
type BucketSettings struct {
	Endpoint             string // HOST or HOST:PORT
	Name                 string
	Prefix               string // of every key
	AccessKey, SecretKey string
	Region               string // "" where the server asks
	Plain                bool   // without TLS
	Lookup               string // "dns" or "path"; any other leaves it to the client
}

// Bucket is where the media are, nil where they are in a directory. Newer servers
// than the one that this was written for have storage-s3-region.
func (c *Config) Bucket() (*BucketSettings, error) {
	if !c.InBucket() {
		return nil, nil
	}
	for _, key := range []string{"storage-s3-endpoint", "storage-s3-bucket", "storage-s3-access-key", "storage-s3-secret-key"} {
		if c.Get(key) == "" {
			return nil, &Problem{What: "storage-backend is s3, and " + key + " is not set",
				Fix: "set it in GoToSocial's file, or GTS_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_"))}
		}
	}
	tls, err := strconv.ParseBool(c.Get("storage-s3-use-ssl"))
	if err != nil {
		return nil, &Problem{What: fmt.Sprintf("storage-s3-use-ssl %q is neither true nor false", c.Get("storage-s3-use-ssl")), Fix: "correct storage-s3-use-ssl"}
	}
	return &BucketSettings{
		Endpoint: c.Get("storage-s3-endpoint"), Name: c.Get("storage-s3-bucket"), Prefix: c.Get("storage-s3-key-prefix"),
		AccessKey: c.Get("storage-s3-access-key"), SecretKey: c.Get("storage-s3-secret-key"),
		Region: c.Get("storage-s3-region"), Plain: !tls, Lookup: c.Get("storage-s3-bucket-lookup"),
	}, nil
}
