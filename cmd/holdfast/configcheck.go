package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"holdfast/instance"
	"holdfast/vault"
)

func (a *app) configCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "config", Short: "Check or show the configuration"})
	cmd.AddCommand(
		&cobra.Command{
			Use:   "check",
			Short: "Try everything that the configuration names",
			Args:  cobra.NoArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return a.checkConfig(cmd.Context()) },
		},
		&cobra.Command{
			Use:   "show",
			Short: "Show the configuration and GoToSocial's, with where each value comes from",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return a.showConfig() },
		},
	)
	return cmd
}

// checked is the outcome of one check, for --json.
type checked struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// checkConfig tries one thing after the other and goes on after a failure: the
// person wants to mend them all at once. The first failure decides the exit
// code.
func (a *app) checkConfig(ctx context.Context) error {
	a.patience = 5 * time.Second // somebody is waiting
	c, err := a.config()
	if err != nil {
		return err
	}
	var firstBad *problem
	failed := 0
	report := func(name, detail string, err error) {
		done := checked{Check: name, OK: err == nil, Detail: detail}
		mark := "✓"
		if err != nil {
			p := explain(ctx, err)
			done.Detail, done.Fix, mark = p.Error(), p.fix, "✗"
			failed++
			if firstBad == nil {
				firstBad = p
			}
		}
		if a.quiet && done.OK {
			return
		}
		text := fmt.Sprintf("%s %-13s %s", mark, name, done.Detail)
		if done.Fix != "" {
			text += "\n  fix           " + done.Fix
		}
		a.item("check", done, text)
	}
	report("configuration", a.configFile, nil)
	detail, domain, err := a.checkInstance(ctx, c)
	report("instance", detail, err)
	for _, theirs := range slices.Sorted(maps.Keys(c.Instance.Paths)) {
		detail, err = checkPath(theirs, c.Instance.Paths[theirs])
		report("path", detail, err)
	}
	detail, err = a.checkHost(domain)
	report("host key", detail, err)
	if len(c.Remotes) == 0 {
		report("remote", "", usage(fmt.Errorf("%s names none", a.configFile), "add one under remotes"))
	}
	for _, r := range c.Remotes {
		detail, err = a.checkRemote(ctx, r)
		report("remote", detail, err)
	}
	if firstBad == nil {
		return nil
	}
	return &problem{exit: firstBad.exit, err: fmt.Errorf("%s failed", count(int64(failed), "check")), fix: "see above"}
}

func (a *app) checkInstance(ctx context.Context, c *config) (detail, domain string, err error) {
	if err := c.Instance.checkBinary(); err != nil {
		return "", "", err
	}
	i, err := c.Instance.open(a)
	if err != nil {
		return "", "", err
	}
	defer i.Close()
	if err := a.apart(i, c.folders()...); err != nil {
		return "", i.Domain(), err
	}
	view, err := i.Begin(ctx)
	if err != nil {
		return "", i.Domain(), fmt.Errorf("%w: %w", vault.ErrSource, err)
	}
	if err := errors.Join(a.checkFiles(ctx, i), view.Close()); err != nil {
		return "", i.Domain(), err
	}
	if view.Facts().GoToSocial == "" {
		_, err := i.AskVersion(ctx)
		a.warn("snapshots won't say which version of GoToSocial they need: %v", err)
	}
	detail = fmt.Sprintf("%s: %s", i.Domain(), describe(view.Facts()))
	if i.Config().InBucket() {
		detail += ", media in bucket " + i.Config().Get("storage-s3-bucket")
	}
	return detail, i.Domain(), nil
}

// checkPath looks whether a path of the server's container is here.
func checkPath(theirs, ours string) (string, error) {
	if _, err := os.Stat(ours); err != nil {
		return "", usage(fmt.Errorf("the container's %s: %w", theirs, err), "correct instance.paths: where is that folder on this side?")
	}
	return theirs + " is " + ours + " here", nil
}

// checkFiles looks whether everything of the files part is there to be read. A
// path that is asked for and missing is a mistake; of the rest it warns.
func (a *app) checkFiles(ctx context.Context, i *instance.Instance) error {
	var unsaved, leftOut []string
	for f, err := range i.Files(ctx) {
		switch {
		case err == nil:
		case f.Path == "", errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %w", vault.ErrSource, err)
		case errors.Is(err, errors.ErrUnsupported):
			leftOut = append(leftOut, err.Error())
		default:
			unsaved = append(unsaved, fmt.Sprintf("%s (%v)", legible("/"+f.Path), err))
		}
	}
	a.warnAll("can't be saved: %s", unsaved)
	a.warnAll("left out: %s", leftOut)
	return nil
}

func (a *app) checkHost(domain string) (string, error) {
	host, err := a.host()
	if err != nil {
		return "", err
	}
	if domain != "" && host.Instance != domain {
		return "", &problem{exit: exitRefused, err: fmt.Errorf("it is for %s, the instance is %s", host.Instance, domain), fix: "name the right --state folder"}
	}
	info, err := os.Stat(a.state)
	if err == nil && info.Mode().Perm()&fs.FileMode(0o007) != 0 {
		a.warn("other users can look into %s: chmod 700 %s", a.state, a.state)
	}
	return fmt.Sprintf("generation %d, repository %s", host.Certificate.Generation, host.Repository), err
}

func (a *app) checkRemote(ctx context.Context, r remoteConfig) (string, error) {
	at, err := a.configured(ctx, r)
	if err != nil {
		return "", err
	}
	unpinned := at.pin.IsZero()
	if unpinned {
		if host, err := a.host(); err == nil {
			at.pin = host.Repository
		}
	}
	repo, err := at.open(ctx, nil)
	if err != nil {
		return "", err
	}
	defer repo.close()
	// Not before: the driver refuses a URL with a secret in it.
	if unpinned && !at.pin.IsZero() {
		a.warn("%s is not pinned: write it as %s", at.url, at.pinned(at.pin))
	}
	for _, w := range repo.Warnings {
		a.warn("%s", w)
	}
	return fmt.Sprintf("%s; %s", at.url, standing(repo.Records())), nil
}
