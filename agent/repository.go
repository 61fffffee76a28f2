package agent

import (
	"context"
	"fmt"
	"strings"

	"holdfast/agent/location"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/seal"
	"holdfast/vault"
)

// Repository is an open repository on an open remote.
type Repository struct {
	*vault.Repository
	Location location.Location

	store remote.Store
	keys  *seal.Keys // nil without identities
}

// Close closes the remote.
func (r *Repository) Close() error { return r.store.Close() }

// openAt opens the repository at a location. The repository must match the pin. idx is
// the host's index, or nil.
func openAt(ctx context.Context, l location.Location, idx *index.Index) (*Repository, error) {
	store, err := remote.Open(ctx, l.URL, l.Remote)
	if err != nil {
		return nil, location.Explain(err)
	}
	repo, err := vault.Open(ctx, store, l.Pin, idx)
	if err != nil {
		store.Close()
		return nil, err
	}
	return &Repository{Repository: repo, Location: l, store: store}, nil
}

// OpenConfig selects a repository for reading.
type OpenConfig struct {
	From string // the URL of a remote; default: the first one of the configuration

	// Identities of an owner open the snapshots. Default: none; records only.
	Identities []seal.Identity
	// Pin is the repository of the identities; zero: any.
	Pin seal.RepositoryID

	// Confirm asks a person about a repository without a pin: an attacker with write
	// access to the bucket could have replaced the repository. Default: refuse.
	Confirm func(context.Context, *Repository) (bool, error)

	Observer
}

// Open opens a repository for reading. Open does not use the state folder: a backup
// may be running, and a fresh machine has no state.
func (h Home) Open(ctx context.Context, cfg OpenConfig) (*Repository, error) {
	l, err := h.Locate(ctx, cfg.From, cfg.Observer)
	if err != nil {
		return nil, err
	}
	switch {
	case l.Pin.IsZero():
		l.Pin = cfg.Pin
	case !cfg.Pin.IsZero() && cfg.Pin != l.Pin:
		return nil, &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("the remote's URL is pinned to repository %s, but the identity belongs to repository %s",
				l.Pin, cfg.Pin),
			Fix: "use the identity of this repository, or the URL in the recovery kit of that identity"}
	}
	repo, err := openAt(ctx, l, nil)
	if err != nil {
		return nil, err
	}
	if err := repo.prepare(ctx, cfg); err != nil {
		repo.Close()
		return nil, err
	}
	return repo, nil
}

// prepare checks the identity of the repository, and opens the keys.
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

// trust asks a person to confirm a repository without a pin.
func (r *Repository) trust(ctx context.Context, cfg OpenConfig) error {
	if cfg.Confirm == nil {
		return &remedy.Error{
			Kind: remedy.Refused,
			What: fmt.Sprintf("the URL has no pin: %s holds repository %s of %s",
				r.Location.URL, r.ID, r.Head().Instance),
			Effect: "nothing was read from the repository",
			Fix: "compare the ID with your recovery kit; if both are equal, use --from '" +
				r.Location.Pinned(r.ID) + "'",
		}
	}
	yes, err := cfg.Confirm(ctx, r)
	if err != nil || yes {
		return err
	}
	return &remedy.Error{Kind: remedy.Refused, What: "the repository was not accepted",
		Fix: "use the pinned URL of the recovery kit"}
}

// ExpectHead refuses a repository without its newest records: the head must be the
// record with this name or descend from the record. A nil name passes.
func (r *Repository) ExpectHead(name *manifest.Hash) error {
	if name == nil || r.Keeps(*name) {
		return nil
	}
	newest := r.Head()
	return &remedy.Error{Kind: remedy.Refused,
		What: fmt.Sprintf("record %s is not in the history of the newest record, %s of %s",
			*name, newest.ID(), units.Time(newest.Time)),
		Effect: "newer snapshots were removed, or the storage was rolled back",
		Fix:    "look for a mirror with the newer snapshots; without --expect-head you can restore the older snapshots"}
}

// Snapshot opens a snapshot. which is "latest", a number, or the first digits of an ID.
// Scratch files go to the folder temp.
func (r *Repository) Snapshot(ctx context.Context, which, temp string) (*vault.Snapshot, error) {
	rec, err := r.Find(ctx, which)
	if err != nil {
		return nil, err
	}
	return r.OpenSnapshot(rec, r.keys, temp)
}

// Below reports whether a file has a path or lies below the path. Every file lies
// below "".
func Below(f manifest.File, path string) bool {
	name := string(f.Part) + "/" + f.Path
	path = strings.TrimSuffix(path, "/")
	return path == "" || name == path || strings.HasPrefix(name, path+"/")
}
