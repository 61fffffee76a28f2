package gotosocial_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

func TestSettingsComeFromFileThenEnvironment(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		env              []string
		key, value       string
		origin           gotosocial.OriginKind
	}{
		{"default", "c.yaml", "host: a.example", nil, "storage-local-base-path", "/gotosocial/storage",
			gotosocial.FromDefault},
		{"yaml", "c.yaml", "host: a.example", nil, "host", "a.example", gotosocial.FromFile},
		{"json", "c.json", `{"host": "a.example", "port": 8080}`, nil, "port", "8080", gotosocial.FromFile},
		{"capitals", "c.yml", "Host: a.example", nil, "host", "a.example", gotosocial.FromFile},
		{"environment over file", "c.yaml", "db-type: postgres", []string{"GTS_DB_TYPE=sqlite"}, "db-type", "sqlite",
			gotosocial.FromEnvironment},
		{"empty variable is none", "c.yaml", "db-type: postgres", []string{"GTS_DB_TYPE="}, "db-type", "postgres",
			gotosocial.FromFile},
		{"other variables", "c.yaml", "", []string{"DB_TYPE=sqlite", "GTS_", "PATH"}, "db-type", "",
			gotosocial.FromDefault},
		{"environment alone", "", "", []string{"GTS_HOST=a.example"}, "host", "a.example", gotosocial.FromEnvironment},
		{"nested is ignored", "c.yaml", "db: {type: sqlite}", nil, "db-type", "", gotosocial.FromDefault},
		{"nested groups are flattened", "c.yaml", "advanced: {rate-limit: {requests: 5}}", nil,
			"advanced-rate-limit-requests", "5", gotosocial.FromFile},
		{"toml", "c.toml", "host = 'a.example'\n[advanced.rate-limit]\nrequests = 5", nil,
			"advanced-rate-limit-requests", "5", gotosocial.FromFile},
		{"toml's capitals", "c.TOML", "Host = 'a.example'", nil, "host", "a.example", gotosocial.FromFile},
		{"toml's lists", "c.toml", "trusted-proxies = ['a', 'b']", nil, "trusted-proxies", "a,b", gotosocial.FromFile},
		{"lists", "c.yaml", "trusted-proxies: [a, b]", nil, "trusted-proxies", "a,b", gotosocial.FromFile},
		{"null", "c.yaml", "smtp-host:", nil, "smtp-host", "", gotosocial.FromFile},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := c.file
			if file != "" {
				file = filepath.Join(t.TempDir(), file)
				testkit.Write(t, filepath.Join(filepath.Dir(file), c.file), c.text)
			}
			cfg, err := gotosocial.Load(file, c.env)
			if err != nil {
				t.Fatal(err)
			}
			n := slices.IndexFunc(cfg.Settings(), func(s gotosocial.Setting) bool { return s.Key == c.key })
			if n < 0 {
				t.Fatalf("no setting %q", c.key)
			}
			if s := cfg.Settings()[n]; s.Value != c.value || s.Origin.Kind != c.origin {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestPathsAreThoseOfTheServer(t *testing.T) {
	dir := t.TempDir()
	for address, want := range map[string]string{
		"sqlite.db":                      "/srv/sqlite.db",
		"file:data/sqlite.db?cache=none": "/srv/data/sqlite.db",
		"/var/lib/gts.db?x":              "/var/lib/gts.db",
	} {
		testkit.Write(t, filepath.Join(dir, "c.yaml"), "db-address: \""+address+"\"\nstorage-local-base-path: storage")
		c, err := gotosocial.Load(filepath.Join(dir, "c.yaml"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Storage(); got != filepath.Join(dir, "storage") {
			t.Errorf("storage %s", got)
		}
		c.WorkingDir = "/srv"
		if got := c.Database(); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
}

func TestSecretsAreMarked(t *testing.T) {
	c, err := gotosocial.Load("", []string{"GTS_SMTP_PASSWORD=x", "GTS_OIDC_CLIENT_SECRET=x",
		"GTS_STORAGE_S3_ACCESS_KEY=x", "GTS_DB_POSTGRES_CONNECTION_STRING=x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Settings() {
		if s.Secret() != (s.Origin.Kind == gotosocial.FromEnvironment) {
			t.Errorf("%s: secret %v", s.Key, s.Secret())
		}
	}
}

func TestUnusableConfigurationsNameTheFix(t *testing.T) {
	for _, c := range []struct {
		name, file, text, want string
		unsupported            bool
	}{
		{"no host", "config.yaml", "db-type: sqlite", "sets no host", false},
		{"host of another domain", "config.yaml", "host: a.example\naccount-domain: b.example", "not a subdomain",
			false},
		{"host of two lines", "config.yaml", "host: \"a.example\\nb\"\ndb-type: sqlite", "is not a domain", false},
		{"no engine", "config.yaml", "host: a.example", "sets no db-type", false},
		{"no address", "config.yaml", "host: a.example\ndb-type: sqlite", "names no file", false},
		{"in memory", "config.yaml", "host: a.example\ndb-type: sqlite\ndb-address: ':memory:'", "names no file",
			false},
		{"bucket", "config.yaml", "host: a.example\ndb-type: sqlite\ndb-address: a.db\nstorage-backend: s3",
			"storage-s3-endpoint is not set", false},
		{"no database file", "config.yaml", "host: a.example\ndb-type: sqlite\ndb-address: a.db", "find the database",
			false},
		{"database is a folder", "config.yaml", "host: a.example\ndb-type: sqlite\ndb-address: .",
			"is not a regular file", false},
		{"unknown ending", "config.txt", "host: a", `unknown extension ".txt"`, false},
		{"too large", "config.yaml", "#" + strings.Repeat("x", 1<<20), "larger than", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			testkit.Write(t, filepath.Join(dir, c.file), c.text)
			cfg, err := gotosocial.Load(filepath.Join(dir, c.file), nil)
			if err == nil {
				_, err = instance.Open(cfg, instance.Options{})
			}
			var p *remedy.Error
			if !errors.As(err, &p) || p.Fix == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if errors.Is(err, errors.ErrUnsupported) != c.unsupported {
				t.Errorf("unsupported: %v", !c.unsupported)
			}
		})
	}
}

func TestMissingConfigurationIsNotExist(t *testing.T) {
	if _, err := gotosocial.Load(filepath.Join(t.TempDir(), "config.yaml"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestSyntaxErrorQuotesNoLine(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{
		"host: a\nsmtp-password: geheim\n  db-type: sqlite\n", "smtp-password: \"geheim\nhost: a\n", "a: " +
			"*geheim\n", "- geheim\n", "geheim: 1\ngeheim: 2\n",
	} {
		testkit.Write(t, filepath.Join(dir, "config.yaml"), text)
		_, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
		var problem *remedy.Error
		if !errors.As(err, &problem) || problem.Fix == "" || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzConfig: no configuration makes Load or Open panic, what Load takes always
// says where each setting is from, and what it refuses it doesn't quote.
func FuzzConfig(f *testing.F) {
	const secret = "hunter2geheim"
	for _, text := range []string{"host: a\n", "{}", "a: [1, {b: c}]", "media: {x: {y: z}}", "&a a: *a", "? [a]: b",
		"- a", "advanced: {1: 2}", "\xff", "a: !!binary x", "0: 1", "<<: {a: b}"} {
		f.Add(text, uint(0))
	}
	for text, at := range map[string]uint{"a: *": 4, "a: !!bool ": 10, "- ": 2, ": 1": 0, "a: \"\n": 4,
		"%YAML \n---\na: 1": 6, "a: 1\n b: ": 9, "a: [1": 4, "a: '": 4, "@": 0} {
		f.Add(text, at)
	}
	f.Add("a = \nb = 1", uint(4))
	f.Add("[a]\nb.c = \"\\u00\"\n[[a.b]]", uint(11))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, at uint) {
		at %= uint(len(text)) + 1
		file := filepath.Join(dir, []string{"config.yaml", "config.toml"}[at%2])
		text = text[:at] + secret + text[at:]
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := gotosocial.Load(file, []string{"GTS_STORAGE_BACKEND=nowhere"})
		if err != nil {
			var p *remedy.Error
			if !errors.As(err, &p) || p.Fix == "" || strings.Contains(err.Error(), secret) {
				t.Errorf("%v", err)
			}
			return
		}
		for _, s := range c.Settings() {
			if s.Origin.Kind == "" {
				t.Errorf("%q has no origin", s.Key)
			}
		}
		if _, err := instance.Open(c, instance.Options{}); err == nil {
			t.Error("opened")
		}
	})
}
