package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/remedy"
	"holdfast/seal"
)

// Settings returns GoToSocial's own configuration.
func (c *Config) Settings() (*gotosocial.Config, error) {
	server := c.Instance.server()
	server.Environment, server.Root = os.Environ(), c.Root
	return server.Config()
}

// server tells how the server runs, as far as the configuration says so.
func (c InstanceConfig) server() gotosocial.Server {
	return gotosocial.Server{
		File: c.GoToSocial, Unit: c.Unit, EnvFile: c.EnvFile, Starter: c.ComposeFile, WorkingDir: c.WorkingDir,
		Paths: c.Paths, Postgres: c.Postgres, LockWait: time.Duration(c.LockWait),
	}
}

// serverOf reads how the server ran, from the text of a configuration. Another version
// of Holdfast may have other settings, so unknown ones don't count.
func serverOf(text []byte) (gotosocial.Server, error) {
	var c struct {
		Instance InstanceConfig `yaml:"instance"`
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		return gotosocial.Server{}, errors.New("it is not valid YAML, or a value has a wrong type")
	}
	if err := c.Instance.check(); err != nil {
		return gotosocial.Server{}, err
	}
	return c.Instance.server(), nil
}

// reading returns GoToSocial's own configuration for a reader of the database: with
// Holdfast's own user of PostgreSQL, if the configuration names one. A restore never
// connects as this user.
func (c *Config) reading(ctx context.Context, o Observer) (*gotosocial.Config, error) {
	settings, err := c.Settings()
	if err != nil {
		return nil, err
	}
	settings.PostgresUser = c.Instance.PostgresUser
	if c.Instance.PostgresPassword == "" {
		return settings, nil
	}
	password, err := c.Instance.PostgresPassword.Read(ctx, func(text string) { o.warn("%s", text) })
	if err != nil {
		return nil, &remedy.Error{Kind: remedy.Setting, Err: err,
			Fix: "correct instance.postgres_password, or the secret that the setting names"}
	}
	settings.PostgresPassword = strings.TrimSpace(seal.PlainText([]byte(password))) // editors leave a mark
	return settings, nil
}

// OpenInstance opens the instance, and passes on the warnings of GoToSocial's
// configuration.
func (c *Config) OpenInstance(ctx context.Context, o Observer) (*instance.Instance, error) {
	settings, err := c.reading(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, warning := range settings.Warnings {
		o.warn("%s", warning)
	}
	bucket, err := media.OpenClient(settings, c.Instance.CA, c.Patience)
	if err != nil {
		return nil, err
	}
	own := c.File
	if own != "" {
		if own, err = filepath.Abs(own); err != nil {
			return nil, err
		}
	}
	return instance.Open(settings, instance.Options{
		Extra: c.Instance.Extra, Binary: c.Instance.Binary, Holdfast: own, Bucket: bucket,
	})
}

// CheckBinary refuses a binary that can't be run. No binary passes.
func (c *Config) CheckBinary() error {
	if c.Instance.Binary == "" {
		return nil
	}
	info, err := os.Stat(c.Instance.Binary)
	if err == nil && (!info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0) {
		err = fmt.Errorf("%s is not a program", c.Instance.Binary)
	}
	if err != nil {
		return &remedy.Error{Kind: remedy.Setting, What: "GoToSocial's binary", Err: err,
			Fix: "correct instance.binary, or leave the setting out: Holdfast then looks for the program"}
	}
	return nil
}
