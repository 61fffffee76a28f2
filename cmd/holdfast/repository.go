package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"holdfast/manifest/index"
	"holdfast/remote"
	"holdfast/seal"
	"holdfast/vault"
)

// place is a remote's URL and what goes with it.
type place struct {
	url string // without its pin
	pin seal.RepositoryID
	cfg remote.Config
}

// place finds the remote to read from: that of --from, else the first of the
// configuration.
func (a *app) place(ctx context.Context, from string) (place, error) {
	c, err := a.config()
	if from == "" {
		switch {
		case err != nil:
			return place{}, err
		case len(c.Remotes) == 0:
			return place{}, usage(fmt.Errorf("%s names no remote", a.configFile), "add one, or use --from REMOTE")
		}
		return a.configured(ctx, c.Remotes[0])
	}
	p, err2 := newPlace(from)
	if err2 != nil {
		return place{}, err2
	}
	if err == nil {
		for _, r := range c.Remotes {
			if known, err := newPlace(r.URL); err == nil && known.url == p.url {
				known, err := a.configured(ctx, r)
				if p.pin.IsZero() {
					p.pin = known.pin
				}
				p.cfg = known.cfg
				return p, err
			}
		}
	}
	p.cfg = environmentKeys(remote.Config{})
	return p, nil
}

func newPlace(rawURL string) (place, error) {
	plain, pin := remote.SplitPin(rawURL)
	if plain == "" {
		return place{}, usage(errors.New("the URL of the storage is empty"), "name a folder or an URL, such as s3://ENDPOINT/BUCKET/PREFIX")
	}
	p := place{url: plain}
	if !strings.Contains(plain, "://") {
		abs, err := filepath.Abs(plain)
		if err != nil {
			return p, err
		}
		p.url = abs
	}
	if pin != "" {
		id, err := seal.ParseRepositoryID(pin)
		if err != nil {
			return p, usage(err, "copy the pin, from #hf1 on, from the recovery kit or the configuration")
		}
		p.pin = id
	}
	return p, nil
}

// configured is a remote of the configuration, with its secrets.
func (a *app) configured(ctx context.Context, r remoteConfig) (place, error) {
	p, err := newPlace(r.URL)
	if err != nil {
		return p, err
	}
	p.cfg.Region, p.cfg.Patience = r.Region, a.patience
	for _, s := range []struct {
		from secret
		to   *string
	}{{r.AccessKey, &p.cfg.AccessKey}, {r.SecretKey, &p.cfg.SecretKey}} {
		if s.from == "" {
			continue
		}
		value, warning, err := s.from.read(ctx)
		if err != nil {
			return p, usage(err, "correct access_key and secret_key of the remote, or what they lead to")
		}
		if warning != "" {
			a.warn("%s", warning)
		}
		*s.to = value
	}
	p.cfg = environmentKeys(p.cfg)
	return p, nil
}

// environmentKeys fills what the configuration leaves open.
func environmentKeys(c remote.Config) remote.Config {
	c.AccessKey = cmp.Or(c.AccessKey, os.Getenv("AWS_ACCESS_KEY_ID"))
	c.SecretKey = cmp.Or(c.SecretKey, os.Getenv("AWS_SECRET_ACCESS_KEY"))
	c.Region = cmp.Or(c.Region, os.Getenv("AWS_REGION"))
	return c
}

// pinned is the URL with its pin.
func (p place) pinned(id seal.RepositoryID) string { return p.url + "#" + id.String() }

// repository is an open repository and the store it lies in.
type repository struct {
	*vault.Repository
	store remote.Store
	place place
}

func (r *repository) close() { r.store.Close() }

// open opens a repository for reading. Nothing of the state folder is used: a
// backup may be running, and a restore knows of none. pin is what the identity
// says, or zero.
func (a *app) open(ctx context.Context, from string, pin seal.RepositoryID) (*repository, error) {
	p, err := a.place(ctx, from)
	if err != nil {
		return nil, err
	}
	switch {
	case p.pin.IsZero():
		p.pin = pin
	case !pin.IsZero() && pin != p.pin:
		return nil, &problem{exit: exitRefused, err: fmt.Errorf("the remote's URL is pinned to %s, the identity belongs to %s", p.pin, pin),
			fix: "use the identity of this repository, or the URL in the recovery kit of that identity"}
	}
	repo, err := p.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	if p.pin.IsZero() {
		if err := a.trust(ctx, repo); err != nil {
			repo.close()
			return nil, err
		}
	}
	for _, w := range repo.Warnings {
		a.warn("%s", w)
	}
	return repo, nil
}

func (p place) open(ctx context.Context, idx *index.Index) (*repository, error) {
	store, err := remote.Open(ctx, p.url, p.cfg)
	if err != nil {
		return nil, badRemote(err)
	}
	repo, err := vault.Open(ctx, store, p.pin, idx)
	if err != nil {
		store.Close()
		return nil, err
	}
	return &repository{repo, store, p}, nil
}

// badRemote tells a URL that can't be used from a remote that doesn't answer.
func badRemote(err error) error {
	for _, known := range []error{remote.ErrCredentials, remote.ErrUnreachable, remote.ErrFull} {
		if errors.Is(err, known) {
			return err
		}
	}
	return usage(err, "a remote is s3://ENDPOINT/BUCKET/PREFIX, or a folder: /PATH")
}

// trust asks whether the repository that an unpinned URL led to is the right
// one: whoever can write to the bucket could have put another one there.
func (a *app) trust(ctx context.Context, repo *repository) error {
	head := repo.Head()
	if term.IsTerminal(int(a.in.Fd())) {
		fmt.Fprintf(a.err, "%s holds the repository\n  %s\nof %s, newest record of %s.\n"+
			"Compare the ID with your recovery kit. Is it this one? [y/N] ", repo.place.url, repo.ID, oneLine(head.Instance), stamp(head.Time))
		answer, err := a.prompt(ctx, func() (string, error) { return bufio.NewReader(a.in).ReadString('\n') })
		if err != nil {
			return err
		}
		if slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
			return nil
		}
		return &problem{exit: exitRefused, err: errors.New("the repository was not accepted"), fix: "use the pinned URL of the recovery kit"}
	}
	return &problem{
		exit:   exitRefused,
		err:    fmt.Errorf("nothing says that the repository in %s is the right one: it is %s, of %s", repo.place.url, repo.ID, head.Instance),
		effect: "nothing was read from it",
		fix:    "compare that ID with your recovery kit; if it is the same, use --from '" + repo.place.pinned(repo.ID) + "'",
	}
}
