package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"

	"holdfast/instance"
)

// config is Holdfast's configuration file.
type config struct {
	Instance instanceConfig `yaml:"instance"`
	Remotes  []remoteConfig `yaml:"remotes"`
	Spool    bytesize       `yaml:"spool"`   // disk that packs may take while they wait for the remote; default 1 GiB
	Workers  int            `yaml:"workers"` // default 2
}

type instanceConfig struct {
	GoToSocial string   `yaml:"gotosocial"`  // its configuration file; "" where GTS_ variables say everything
	WorkingDir string   `yaml:"working_dir"` // of its server; default: the folder of that file
	Binary     string   `yaml:"binary"`      // default: looked for
	Extra      []string `yaml:"extra"`       // more files and folders to back up
}

type remoteConfig struct {
	URL       string `yaml:"url"` // may carry the repository's ID as #hf1…
	AccessKey secret `yaml:"access_key"`
	SecretKey secret `yaml:"secret_key"`
	Region    string `yaml:"region"`
}

// maxConfigFile bounds the configuration file: an ordinary one has 300 bytes.
const maxConfigFile = 1 << 20

// config reads the configuration file.
func (a *app) config() (*config, error) {
	f, err := os.Open(a.configFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usage(fmt.Errorf("there is no configuration file %s", a.configFile),
			"holdfast init writes one; -c FILE names another; verbs that only read take --from REMOTE instead")
	}
	if err != nil {
		return nil, usage(err, "run Holdfast as the user who owns its configuration")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigFile))
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(text)
	if err != nil {
		return nil, usage(fmt.Errorf("%s:%w", a.configFile, err), "correct that line; holdfast config check tries the whole file")
	}
	return c, nil
}

// parseConfig reads a configuration. Its errors start with "LINE:COLUMN: "
// where they have a place, else with a space.
func parseConfig(text []byte) (*config, error) {
	var c config
	err := yaml.NewDecoder(strings.NewReader(string(text)), yaml.Strict()).Decode(&c)
	var placed yaml.Error
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New(" the file is empty")
	case errors.As(err, &placed) && placed.GetToken() != nil:
		at := placed.GetToken().Position
		return nil, fmt.Errorf("%d:%d: %s%s", at.Line, at.Column, placed.GetMessage(), nearKey(err))
	case err != nil:
		return nil, fmt.Errorf(" %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf(" %w", err)
	}
	return &c, nil
}

// nearKey names the key that an unknown one is likely meant to be.
func nearKey(err error) string {
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) {
		return ""
	}
	var names []string
	for _, key := range []string{"instance", "gotosocial", "working_dir", "binary", "extra", "remotes", "url", "access_key", "secret_key", "region", "spool", "workers"} {
		if near(unknown.GetToken().Value, key) {
			names = append(names, key)
		}
	}
	return didYouMean(names)
}

func (c *config) check() error {
	for i, r := range c.Remotes {
		at := fmt.Sprintf("remotes[%d]", i)
		if !filepath.IsAbs(r.URL) && !strings.Contains(r.URL, "://") {
			return fmt.Errorf("%s.url: %q is no remote: write s3://ENDPOINT/BUCKET/PREFIX, or a folder from the root", at, r.URL)
		}
		for key, s := range map[string]secret{"access_key": r.AccessKey, "secret_key": r.SecretKey} {
			if err := s.check(at + "." + key); err != nil {
				return err
			}
			if s != s.absolute() {
				return fmt.Errorf("%s.%s: path %q is relative: write it from the root", at, key, s)
			}
		}
	}
	paths := append([]string{c.Instance.GoToSocial, c.Instance.WorkingDir, c.Instance.Binary}, c.Instance.Extra...)
	for _, path := range paths {
		if path != "" && !filepath.IsAbs(path) {
			return fmt.Errorf("instance: path %q is relative: write it from the root", path)
		}
	}
	if c.Workers < 0 || c.Workers > 64 {
		return fmt.Errorf("workers: %d is not between 1 and 64", c.Workers)
	}
	return nil
}

// open loads GoToSocial's configuration and opens the instance.
func (c instanceConfig) open() (*instance.Instance, error) {
	settings, err := c.settings()
	if err != nil {
		return nil, err
	}
	bucket, err := openBucket(settings)
	if err != nil {
		return nil, err
	}
	return instance.Open(settings, instance.Options{Extra: c.Extra, Binary: c.Binary, Bucket: bucket})
}

func (c instanceConfig) settings() (*instance.Config, error) {
	settings, err := instance.Load(c.GoToSocial, os.Environ())
	if err != nil {
		return nil, err
	}
	if c.WorkingDir != "" {
		settings.WorkingDir = c.WorkingDir
	}
	return settings, nil
}

// bytesize is a number of bytes, written "1GiB" or "500 MB".
type bytesize int64

func (b *bytesize) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<50 {
		return fmt.Errorf("%q is no size such as 1GiB", text)
	}
	*b = bytesize(n)
	return nil
}
