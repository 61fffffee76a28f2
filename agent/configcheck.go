package agent

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"holdfast/remedy"
	"holdfast/remote"
)

// Check is the outcome of one check of the configuration.
type Check struct {
	Name     string // "instance", "remote", …
	Detail   string // for a person; "" after a failure
	Err      error
	Instance *Inspection // of the check "instance", or nil
}

// CheckConfig tries everything that the configuration names. CheckConfig goes on after
// a failed check: a person wants to mend all mistakes at once. An unreadable
// configuration is the error. report is called with each check, when the check ends.
func (h Home) CheckConfig(ctx context.Context, o Observer, report func(Check)) error {
	c, err := h.Config()
	if err != nil {
		return err
	}
	c.Patience = 5 * time.Second // a person waits
	report(Check{Name: "configuration", Detail: h.ConfigFile})
	found, err := c.inspect(ctx, []string{h.State}, o)
	report(Check{Name: "instance", Detail: found.describe(), Err: err, Instance: found})
	for _, theirs := range slices.Sorted(maps.Keys(c.Instance.Paths)) {
		detail, err := checkPath(theirs, c.Instance.Paths[theirs])
		report(Check{Name: "path", Detail: detail, Err: err})
	}
	detail, err := h.checkHost(found.Domain, o)
	report(Check{Name: "host key", Detail: detail, Err: err})
	if len(c.Remotes) == 0 {
		report(Check{Name: "remote", Err: &remedy.Error{Kind: remedy.Setting, What: h.ConfigFile + " names no remote",
			Fix: "add a remote under remotes"}})
	}
	for _, r := range c.Remotes {
		detail, err := h.checkRemote(ctx, c, r, o)
		report(Check{Name: "remote", Detail: detail, Err: err})
	}
	return nil
}

// checkPath checks that a path of the server's container exists on this machine.
func checkPath(theirs, ours string) (detail string, err error) {
	if _, err := os.Stat(ours); err != nil {
		return "", &remedy.Error{Kind: remedy.Setting, What: "the container's " + theirs, Err: err,
			Fix: "correct instance.paths: name the place of " + theirs + " on this machine"}
	}
	return theirs + " is " + ours + " here", nil
}

// checkHost describes the host's key. domain is the instance's, or "" if unknown.
func (h Home) checkHost(domain string, o Observer) (detail string, err error) {
	host, err := h.Host()
	if err != nil {
		return "", err
	}
	if domain != "" && host.Instance != domain {
		return "", &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("the host key belongs to %s, but the instance is %s", host.Instance, domain),
			Fix:  "name the state folder of this instance by --state"}
	}
	info, err := os.Stat(h.State)
	if err == nil && info.Mode().Perm()&fs.FileMode(0o007) != 0 {
		o.warn("other users can look into %s: chmod 700 %s", h.State, h.State)
	}
	return fmt.Sprintf("generation %d, repository %s", host.Certificate.Generation, host.Repository), err
}

// checkRemote describes the repository in a remote, and tries all that a backup needs.
func (h Home) checkRemote(ctx context.Context, c *Config, r RemoteConfig, o Observer) (detail string, err error) {
	l, err := c.Locate(ctx, r, o)
	if err != nil {
		return "", err
	}
	unpinned := l.Pin.IsZero()
	if unpinned {
		if host, err := h.Host(); err == nil {
			l.Pin = host.Repository
		}
	}
	repo, err := openAt(ctx, l, nil)
	if err != nil {
		return "", err
	}
	defer repo.Close()
	// The warning comes late: the driver refuses a URL with a secret in it.
	if unpinned && !l.Pin.IsZero() {
		o.warn("the URL %s has no pin: write %s", l.URL, l.Pinned(l.Pin))
	}
	for _, w := range repo.Warnings {
		o.warn("%s", w)
	}
	if err := remote.Probe(ctx, repo.store); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s; %s", l.URL, StandingOf(repo.Records())), nil
}
