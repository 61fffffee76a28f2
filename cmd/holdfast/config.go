package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
)

// config is Holdfast's configuration file.
type config struct {
	Instance instanceConfig `yaml:"instance"`
	Remotes  []remoteConfig `yaml:"remotes"`
	Spool    bytesize       `yaml:"spool"`   // disk that packs may take while they wait for the remote; default 1 GiB
	Workers  int            `yaml:"workers"` // default 2
}

type instanceConfig struct {
	GoToSocial string            `yaml:"gotosocial"`  // its configuration file; default: the one that unit or environment names
	Unit       string            `yaml:"unit"`        // the systemd unit of its server; default: looked for
	EnvFile    string            `yaml:"env_file"`    // the environment file of its container
	Paths      map[string]string `yaml:"paths"`       // where paths of its container are here
	WorkingDir string            `yaml:"working_dir"` // of its server; default: the unit's, else the folder of the configuration file
	Binary     string            `yaml:"binary"`      // default: looked for
	Extra      []string          `yaml:"extra"`       // more files and folders to back up

	root string
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
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o022 != 0 {
		return nil, usage(fmt.Errorf("other users can change %s, and with it run commands as you", a.configFile), "look what it says now, then chmod 600 "+a.configFile)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfigFile {
		return nil, usage(fmt.Errorf("%s is larger than %s", a.configFile, size(maxConfigFile)), "name Holdfast's own configuration by -c FILE")
	}
	c, err := parseConfig(text)
	if err != nil {
		return nil, usage(fmt.Errorf("%s:%w", a.configFile, err), "correct that line; holdfast config check tries the whole file")
	}
	c.Instance.root = a.root
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
		return nil, fmt.Errorf("%d:%d: %s%s", at.Line, at.Column, cmp.Or(wrongType(err), placed.GetMessage()), nearKey(err))
	case err != nil:
		return nil, fmt.Errorf(" %w", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf(" %w", err)
	}
	return &c, nil
}

// wrongType says what a value of another type should be, or "".
func wrongType(err error) string {
	var node *yaml.UnexpectedNodeTypeError
	var value *yaml.TypeError
	var large *yaml.OverflowError
	switch {
	case errors.As(err, &node) && node.Expected == ast.SequenceType:
		return "a list belongs here: [ONE, ANOTHER]"
	case errors.As(err, &node):
		return "keys and their values belong here"
	case errors.As(err, &large), errors.As(err, &value) && value.DstType.Kind() == reflect.Int:
		return "a whole number belongs here"
	case errors.As(err, &value):
		return "text belongs here"
	}
	return ""
}

// nearKey names the key that an unknown one is likely meant to be.
func nearKey(err error) string {
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) {
		return ""
	}
	var names []string
	for _, key := range []string{"instance", "gotosocial", "unit", "env_file", "paths", "working_dir", "binary", "extra", "remotes", "url", "access_key", "secret_key", "region", "spool", "workers"} {
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
	paths := append([]string{c.Instance.GoToSocial, c.Instance.EnvFile, c.Instance.WorkingDir, c.Instance.Binary}, c.Instance.Extra...)
	if strings.Contains(c.Instance.Unit, "/") {
		paths = append(paths, c.Instance.Unit)
	}
	for theirs, ours := range c.Instance.Paths {
		if theirs == "" || ours == "" {
			return fmt.Errorf("instance.paths: %q to %q maps nothing", theirs, ours)
		}
		paths = append(paths, theirs, ours)
	}
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

// folders are the remotes that are folders of this machine.
func (c *config) folders() (folders []string) {
	for _, r := range c.Remotes {
		folders = append(folders, r.folder())
	}
	return folders
}

// folder is the remote's folder, or "" where it is none.
func (r remoteConfig) folder() string {
	p, err := newPlace(r.URL)
	if err != nil {
		return ""
	}
	if u, err := url.Parse(p.url); err == nil && u.Scheme == "dir" {
		return u.Path
	}
	if strings.Contains(p.url, "://") {
		return ""
	}
	return p.url
}

// apart refuses a state folder or remotes that the backup itself would save.
func (a *app) apart(i *instance.Instance, remotes ...string) error {
	state, err := filepath.Abs(a.state)
	if err != nil {
		return err
	}
	for _, path := range append(remotes, state) {
		if path == "" {
			continue
		}
		if around := i.Around(path); around != "" {
			return &problem{exit: exitRefused, err: fmt.Errorf("%s lies in %s, which is backed up", path, around),
				effect: "each backup would save the ones before it once more",
				fix:    "name another folder for it, or other extra paths"}
		}
	}
	return nil
}

// checkBinary refuses a binary that is asked for and can't be run.
func (c instanceConfig) checkBinary() error {
	if c.Binary == "" {
		return nil
	}
	info, err := os.Stat(c.Binary)
	if err == nil && (!info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0) {
		err = fmt.Errorf("%s is no program", c.Binary)
	}
	if err != nil {
		return usage(fmt.Errorf("GoToSocial's binary: %w", err), "correct binary, or leave it out: it is looked for")
	}
	return nil
}

// open loads GoToSocial's configuration, passes on what that warns of, and opens
// the instance.
func (c instanceConfig) open(a *app) (*instance.Instance, error) {
	settings, err := c.settings()
	if err != nil {
		return nil, err
	}
	for _, warning := range settings.Warnings {
		a.warn("%s", warning)
	}
	bucket, err := media.OpenClient(settings, a.patience)
	if err != nil {
		return nil, err
	}
	return instance.Open(settings, instance.Options{Extra: c.Extra, Binary: c.Binary, Bucket: bucket})
}

func (c instanceConfig) settings() (*gotosocial.Config, error) {
	return gotosocial.Server{
		File: c.GoToSocial, WorkingDir: c.WorkingDir, Unit: c.Unit, EnvFile: c.EnvFile,
		Environment: os.Environ(), Paths: c.Paths, Root: c.root,
	}.Config()
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
