package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/instance"
	"holdfast/internal/units"
	"holdfast/remedy"
	"holdfast/vault"
)

func configCommand(a *app) *cobra.Command {
	cmd := group(&cobra.Command{Use: "config", Short: "Check or show the configuration"})
	cmd.AddCommand(
		&cobra.Command{
			Use:   "check",
			Short: "Try the instance, the paths, the host key and the storage of the configuration",
			Args:  cobra.NoArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return checkConfig(cmd.Context(), a) },
		},
		&cobra.Command{
			Use:   "show",
			Short: "Show every setting of Holdfast and of GoToSocial, with its origin",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return showConfig(a) },
		},
	)
	return cmd
}

// checked is the outcome of a check, for --json.
type checked struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// configCheck runs the checks of config check and counts failures.
type configCheck struct {
	app    *app
	config *agent.Config
	failed int
	first  *remedy.Error // the first failure
}

// checkConfig tries everything, and goes on after a failure: a person wants to mend
// all mistakes at once. The first failure decides the exit code.
func checkConfig(ctx context.Context, a *app) error {
	config, err := a.home.Config()
	if err != nil {
		return err
	}
	config.Patience = 5 * time.Second // a person waits
	c := &configCheck{app: a, config: config}
	c.report(ctx, "configuration", a.home.ConfigFile, nil)
	detail, domain, err := c.instance(ctx)
	c.report(ctx, "instance", detail, err)
	for _, theirs := range slices.Sorted(maps.Keys(config.Instance.Paths)) {
		detail, err = checkPath(theirs, config.Instance.Paths[theirs])
		c.report(ctx, "path", detail, err)
	}
	detail, err = c.host(domain)
	c.report(ctx, "host key", detail, err)
	if len(config.Remotes) == 0 {
		c.report(ctx, "remote", "", usage(fmt.Errorf("%s names no remote", a.home.ConfigFile),
			"add a remote under remotes"))
	}
	for _, r := range config.Remotes {
		detail, err = c.remote(ctx, r)
		c.report(ctx, "remote", detail, err)
	}
	if c.first == nil {
		return nil
	}
	return &remedy.Error{Kind: c.first.Kind, What: units.Count(c.failed, "check") + " failed",
		Fix: "follow the fixes above"}
}

// report prints the outcome of a check.
func (c *configCheck) report(ctx context.Context, name, detail string, err error) {
	done := checked{Check: name, OK: err == nil, Detail: detail}
	mark := "✓"
	if err != nil {
		problem := explain(ctx, err)
		done.Detail, done.Fix, mark = problem.Error(), problem.Fix, "✗"
		c.failed++
		c.first = cmp.Or(c.first, problem)
	}
	if c.app.term.Quiet && done.OK {
		return
	}
	text := fmt.Sprintf("%s %-13s %s", mark, name, done.Detail)
	if done.Fix != "" {
		text += "\n  fix           " + done.Fix
	}
	c.app.term.Item("check", done, text)
}

func (c *configCheck) instance(ctx context.Context) (detail, domain string, err error) {
	if err := c.config.CheckBinary(); err != nil {
		return "", "", err
	}
	i, err := c.config.OpenInstance(c.app.observer(nil))
	if err != nil {
		return "", "", err
	}
	defer i.Close()
	if err := c.config.CheckOutside(i, c.app.home.State); err != nil {
		return "", i.Domain(), err
	}
	view, err := i.Begin(ctx)
	if err != nil {
		return "", i.Domain(), fmt.Errorf("%w: %w", vault.ErrSource, err)
	}
	if err := errors.Join(checkFiles(ctx, c.app.term, i), view.Close()); err != nil {
		return "", i.Domain(), err
	}
	if view.Facts().GoToSocial == "" {
		_, err := i.AskVersion(ctx)
		c.app.term.Warn("snapshots will not record the version of GoToSocial: %v", err)
	}
	detail = fmt.Sprintf("%s: %s", i.Domain(), describe(view.Facts()))
	if i.Config().InBucket() {
		detail += ", media in bucket " + i.Config().Get("storage-s3-bucket")
	}
	return detail, i.Domain(), nil
}

// checkPath checks that a path of the server's container exists on this machine.
func checkPath(theirs, ours string) (string, error) {
	if _, err := os.Stat(ours); err != nil {
		return "", usage(fmt.Errorf("the container's %s: %w", theirs, err),
			"correct instance.paths: name the place of "+theirs+" on this machine")
	}
	return theirs + " is " + ours + " here", nil
}

// checkFiles checks that the files part can be read. A missing path of the
// configuration is an error; for an unreadable file checkFiles warns.
func checkFiles(ctx context.Context, t *terminal.Terminal, i *instance.Instance) error {
	var unsaved, leftOut []string
	for f, err := range i.Files(ctx) {
		switch {
		case err == nil:
		case f.Path == "", errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %w", vault.ErrSource, err)
		case errors.Is(err, errors.ErrUnsupported):
			leftOut = append(leftOut, err.Error())
		default:
			unsaved = append(unsaved, fmt.Sprintf("%s (%v)", terminal.Quote("/"+f.Path), err))
		}
	}
	t.WarnEach("can't be saved: %s", unsaved)
	t.WarnEach("left out: %s", leftOut)
	return nil
}

func (c *configCheck) host(domain string) (string, error) {
	host, err := c.app.home.Host()
	if err != nil {
		return "", err
	}
	if domain != "" && host.Instance != domain {
		return "", &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("the host key belongs to %s, but the instance is %s", host.Instance, domain),
			Fix:  "name the state folder of this instance by --state"}
	}
	state := c.app.home.State
	info, err := os.Stat(state)
	if err == nil && info.Mode().Perm()&fs.FileMode(0o007) != 0 {
		c.app.term.Warn("other users can look into %s: chmod 700 %s", state, state)
	}
	return fmt.Sprintf("generation %d, repository %s", host.Certificate.Generation, host.Repository), err
}

func (c *configCheck) remote(ctx context.Context, r agent.RemoteConfig) (string, error) {
	l, err := c.config.Locate(ctx, r, c.app.observer(nil))
	if err != nil {
		return "", err
	}
	unpinned := l.Pin.IsZero()
	if unpinned {
		if host, err := c.app.home.Host(); err == nil {
			l.Pin = host.Repository
		}
	}
	repo, err := l.Open(ctx, nil)
	if err != nil {
		return "", err
	}
	defer repo.Close()
	// The warning comes late: the driver refuses a URL with a secret in it.
	if unpinned && !l.Pin.IsZero() {
		c.app.term.Warn("the URL %s has no pin: write %s", l.URL, l.Pinned(l.Pin))
	}
	for _, w := range repo.Warnings {
		c.app.term.Warn("%s", w)
	}
	return fmt.Sprintf("%s; %s", l.URL, agent.StandingOf(repo.Records())), nil
}
