package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/remedy"
)

// Settings returns GoToSocial's own configuration.
func (c *Config) Settings() (*gotosocial.Config, error) {
	return gotosocial.Server{
		File: c.Instance.GoToSocial, Unit: c.Instance.Unit, EnvFile: c.Instance.EnvFile,
		WorkingDir: c.Instance.WorkingDir, Paths: c.Instance.Paths, Postgres: c.Instance.Postgres,
		LockWait:    time.Duration(c.Instance.LockWait),
		Environment: os.Environ(), Root: c.Root,
	}.Config()
}

// OpenInstance opens the instance, and passes on the warnings of GoToSocial's
// configuration.
func (c *Config) OpenInstance(o Observer) (*instance.Instance, error) {
	settings, err := c.Settings()
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
	return instance.Open(settings, instance.Options{Extra: c.Instance.Extra, Binary: c.Instance.Binary, Bucket: bucket})
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

// CheckOutside refuses a state folder or a remote inside the backed up folders.
func (c *Config) CheckOutside(i *instance.Instance, state string) error {
	state, err := filepath.Abs(state)
	if err != nil {
		return err
	}
	var paths []string
	for _, r := range c.Remotes {
		if l, err := ParseLocation(r.URL); err == nil && l.Folder() != "" {
			paths = append(paths, l.Folder())
		}
	}
	for _, path := range append(paths, state) {
		if around := i.Around(path); around != "" {
			return &remedy.Error{Kind: remedy.Refused,
				What:   fmt.Sprintf("%s lies in %s, which is backed up", path, around),
				Effect: "each backup would save the earlier backups again",
				Fix:    "name another folder than " + path + ", or other extra paths"}
		}
	}
	return nil
}
