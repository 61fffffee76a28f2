package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

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
	detail, err := a.checkFile()
	report("configuration", detail, err)
	detail, domain, err := checkInstance(ctx, c.Instance)
	report("instance", detail, err)
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

func (a *app) checkFile() (string, error) {
	info, err := os.Stat(a.configFile)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return "", usage(fmt.Errorf("other users can change %s, and with it run commands as you", a.configFile), "chmod 600 "+a.configFile)
	}
	return a.configFile, nil
}

func checkInstance(ctx context.Context, c instanceConfig) (detail, domain string, err error) {
	i, err := c.open()
	if err != nil {
		return "", "", err
	}
	defer i.Close()
	view, err := i.Begin(ctx)
	if err != nil {
		return "", i.Domain(), fmt.Errorf("%w: %w", vault.ErrSource, err)
	}
	detail = fmt.Sprintf("%s: %s", i.Domain(), describe(view.Facts()))
	if i.Config().InBucket() {
		detail += ", media in bucket " + i.Config().Get("storage-s3-bucket")
	}
	return detail, i.Domain(), errors.Join(checkFiles(ctx, i), view.Close())
}

// checkFiles looks whether everything of the files part is there to be read.
func checkFiles(ctx context.Context, i *instance.Instance) error {
	for _, err := range i.Files(ctx) {
		if err != nil {
			return fmt.Errorf("%w: %w", vault.ErrSource, err)
		}
	}
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
