package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"holdfast/manifest"
	"holdfast/seal"
)

// minID is how much of a record's name has to be written.
const minID = 4

// Find returns a snapshot, whole: "latest" or "" for the newest backup, else
// the start of a record's name, at least 4 digits, or its sequence number.
func (r *Repository) Find(ctx context.Context, which string) (*manifest.Record, error) {
	latest := which == "" || which == "latest"
	var found []*manifest.Record
	for _, rec := range r.Records() {
		if rec.Kind != manifest.KindBackup {
			continue
		}
		if latest {
			return r.Load(ctx, rec)
		}
		if fmt.Sprint(rec.Sequence) == which ||
			len(which) >= minID && strings.HasPrefix(rec.Name().Hex(), strings.ToLower(which)) {
			found = append(found, rec)
		}
	}
	switch {
	case len(found) == 1:
		return r.Load(ctx, found[0])
	case len(found) > 1:
		return nil, &unclear{fmt.Sprintf("find snapshot %q: the name fits the snapshots %s and %s",
			which, found[0].ID(), found[1].ID()), ErrNoSnapshot}
	case latest:
		return nil, fmt.Errorf("find snapshot: %w", ErrEmpty)
	case len(which) < minID && strings.Trim(strings.ToLower(which), "0123456789abcdef") == "":
		return nil, fmt.Errorf("find snapshot %q: %w; the start of an ID has at least %d digits",
			which, ErrNoSnapshot, minID)
	}
	return nil, fmt.Errorf("find snapshot %q: %w", which, ErrNoSnapshot)
}

// maxKeyObject bounds a sealed key object.
const maxKeyObject = 2 << 20

// Unlock opens the repository's keys with any of the identities.
func (r *Repository) Unlock(ctx context.Context, identities []seal.Identity) (*seal.Keys, error) {
	var broken error
	for _, k := range r.log.Keys() {
		object, err := r.get(ctx, k.Object(), maxKeyObject)
		if err == nil {
			var keys *seal.Keys
			if keys, err = seal.OpenKeys(object, r.ID, identities); err == nil {
				return keys, nil
			}
		}
		if !errors.Is(err, seal.ErrNotOwner) {
			broken = err
		}
	}
	if broken != nil {
		return nil, fmt.Errorf("unlock: %w", broken)
	}
	return nil, fmt.Errorf("unlock: %w", ErrWrongKey)
}
