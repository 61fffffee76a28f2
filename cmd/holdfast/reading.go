package main

import (
	"context"

	"github.com/spf13/cobra"

	"holdfast/seal"
	"holdfast/vault"
)

// fromFlag is the flag of every verb that reads.
func fromFlag(cmd *cobra.Command, from *string) {
	cmd.Flags().StringVar(from, "from", "", "read from this `REMOTE` instead of the configuration's first")
}

// owned is a repository that an owner opened.
type owned struct {
	*repository
	keys *seal.Keys
}

// openOwned opens a repository and its keys.
func (a *app) openOwned(ctx context.Context, from string, u unlocking) (*owned, error) {
	identities, pin, err := a.identities(ctx, u)
	if err != nil {
		return nil, err
	}
	repo, err := a.open(ctx, from, pin)
	if err != nil {
		return nil, err
	}
	keys, err := repo.Unlock(ctx, identities)
	if err != nil {
		repo.close()
		return nil, err
	}
	return &owned{repo, keys}, nil
}

// snapshot opens the snapshot that a person named. Scratch files go to temp.
func (o *owned) snapshot(ctx context.Context, which, temp string) (*vault.Snapshot, error) {
	rec, err := o.Find(ctx, which)
	if err != nil {
		return nil, err
	}
	return o.OpenSnapshot(rec, o.keys, temp)
}
