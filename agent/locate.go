package agent

import (
	"context"

	"holdfast/agent/location"
	"holdfast/agent/secret"
	"holdfast/remedy"
	"holdfast/remote"
)

// Locate reads the secrets of a remote.
func (c *Config) Locate(ctx context.Context, r RemoteConfig, o Observer) (location.Location, error) {
	l, err := location.Parse(r.URL)
	if err != nil {
		return l, err
	}
	l.Remote.Region, l.Remote.CAFile, l.Remote.Patience = r.Region, r.CA, c.Patience
	for _, s := range []struct {
		from secret.Source
		to   *string
	}{{r.AccessKey, &l.Remote.AccessKey}, {r.SecretKey, &l.Remote.SecretKey}} {
		if s.from == "" {
			continue
		}
		if *s.to, err = s.from.ReadKey(ctx, func(text string) { o.warn("%s", text) }); err != nil {
			return l, &remedy.Error{Kind: remedy.Setting, Err: err,
				Fix: "correct access_key and secret_key of the remote, or the secrets that they name: " +
					"each place holds one key, in one line"}
		}
	}
	l.Remote = location.WithEnvironment(l.Remote)
	return l, nil
}

// Locate finds a remote to read from. from is a URL; "" is the first remote of the
// configuration. A URL of the configuration gets the pin and secrets from there.
func (h Home) Locate(ctx context.Context, from string, o Observer) (location.Location, error) {
	c, configErr := h.Config()
	if from == "" {
		if configErr != nil {
			return location.Location{}, configErr
		}
		first, err := c.firstRemote()
		if err != nil {
			return location.Location{}, err
		}
		return c.Locate(ctx, first, o)
	}
	l, err := location.Parse(from)
	if err != nil {
		return location.Location{}, err
	}
	if remedy.Is(configErr, remedy.Refused) {
		o.warn("%v: the pin and the credentials in the file are not used", configErr)
	}
	if configErr == nil {
		for _, r := range c.Remotes {
			if same, err := location.Parse(r.URL); err == nil && same.URL == l.URL {
				same, err := c.Locate(ctx, r, o)
				if l.Pin.IsZero() {
					l.Pin = same.Pin
				}
				l.Remote = same.Remote
				return l, err
			}
		}
	}
	l.Remote = location.WithEnvironment(remote.Config{})
	return l, nil
}

func (c *Config) firstRemote() (RemoteConfig, error) {
	if len(c.Remotes) == 0 {
		return RemoteConfig{}, &remedy.Error{Kind: remedy.Setting, What: c.File + " names no remote",
			Fix: "add a remote under remotes; commands that only read take --from REMOTE instead"}
	}
	return c.Remotes[0], nil
}
