package agent

import (
	"context"
	"fmt"
	"strings"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/seal"
	"holdfast/units"
	"holdfast/vault"
)

// Repository is an open repository and its remote.
type Repository struct {
	*vault.Repository
	Location Location

	store remote.Store
	keys  *seal.Keys // nil without identities
}

// Close closes the remote.
func (r *Repository) Close() error { return r.store.Close() }

// Open opens the repository at a location. A pinned location opens no other
// repository. idx is the host's index, or nil.
func (l Location) Open(ctx context.Context, idx *index.Index) (*Repository, error) {
	store, err := remote.Open(ctx, l.URL, l.Remote)
	if err != nil {
		return nil, RemoteError(err)
	}
	repo, err := vault.Open(ctx, store, l.Pin, idx)
	if err != nil {
		store.Close()
		return nil, err
	}
	return &Repository{Repository: repo, Location: l, store: store}, nil
}

// OpenConfig says which repository to read.
type OpenConfig struct {
	From string // the URL of a remote; default: the first one of the configuration

	// Identities of an owner open the snapshots. Default: none; records only.
	Identities []seal.Identity
	// Pin is the repository that the identities belong to; zero: any.
	Pin seal.RepositoryID

	// Confirm asks a person whether a repository without a pin is the right one:
	// whoever can write to the bucket could have put another one there. Default:
	// such a repository is refused.
	Confirm func(context.Context, *Repository) (bool, error)

	Observer
}

// Open opens a repository for reading. Open needs nothing in the state folder: a
// backup may be running, and a fresh machine has no state.
func (h Home) Open(ctx context.Context, cfg OpenConfig) (*Repository, error) {
	l, err := h.Locate(ctx, cfg.From, cfg.Observer)
	if err != nil {
		return nil, err
	}
	switch {
	case l.Pin.IsZero():
		l.Pin = cfg.Pin
	case !cfg.Pin.IsZero() && cfg.Pin != l.Pin:
		return nil, &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("the remote's URL is pinned to %s, the identity belongs to %s", l.Pin, cfg.Pin),
			Fix: "use the identity of this repository, or the URL in the recovery kit of that identity"}
	}
	repo, err := l.Open(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := repo.prepare(ctx, cfg); err != nil {
		repo.Close()
		return nil, err
	}
	return repo, nil
}

// prepare makes sure that the repository is the right one, and opens its keys.
func (r *Repository) prepare(ctx context.Context, cfg OpenConfig) (err error) {
	if r.Location.Pin.IsZero() {
		if err := r.trust(ctx, cfg); err != nil {
			return err
		}
	}
	for _, w := range r.Warnings {
		cfg.warn("%s", w)
	}
	if len(cfg.Identities) > 0 {
		r.keys, err = r.Unlock(ctx, cfg.Identities)
	}
	return err
}

// trust refuses a repository without a pin unless a person confirms it.
func (r *Repository) trust(ctx context.Context, cfg OpenConfig) error {
	if cfg.Confirm == nil {
		return &remedy.Error{
			Kind:   remedy.Refused,
			What:   fmt.Sprintf("the URL has no pin: %s holds repository %s of %s", r.Location.URL, r.ID, r.Head().Instance),
			Effect: "nothing was read from the repository",
			Fix:    "compare the ID with your recovery kit; if both are the same, use --from '" + r.Location.Pinned(r.ID) + "'",
		}
	}
	yes, err := cfg.Confirm(ctx, r)
	if err != nil || yes {
		return err
	}
	return &remedy.Error{Kind: remedy.Refused, What: "the repository was not accepted", Fix: "use the pinned URL of the recovery kit"}
}

// ExpectHead refuses a repository whose newest records are gone. start is the
// begin of a record's name that the head must have or descend from; "" passes.
func (r *Repository) ExpectHead(start string) error {
	if start == "" || r.Keeps(start) {
		return nil
	}
	newest := r.Head()
	return &remedy.Error{Kind: remedy.Refused,
		What:   fmt.Sprintf("record %s is not in the history of the newest record, %s of %s", start, newest.ID(), units.Time(newest.Time)),
		Effect: "newer snapshots were removed, or the storage was rolled back",
		Fix:    "look for a mirror with the newer snapshots; without --expect-head the older ones can be restored"}
}

// Snapshot opens a snapshot that a person named: "latest", a number, or the begin
// of an ID. Its scratch files go to the folder temp.
func (r *Repository) Snapshot(ctx context.Context, which, temp string) (*vault.Snapshot, error) {
	rec, err := r.Find(ctx, which)
	if err != nil {
		return nil, err
	}
	return r.OpenSnapshot(rec, r.keys, temp)
}

// Below reports whether a file is a path itself, or lies below it. Every file lies
// below "".
func Below(f manifest.File, path string) bool {
	name := string(f.Part) + "/" + f.Path
	path = strings.TrimSuffix(path, "/")
	return path == "" || name == path || strings.HasPrefix(name, path+"/")
}
