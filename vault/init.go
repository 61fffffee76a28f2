package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"holdfast/manifest"
	"holdfast/remote"
	"holdfast/seal"
)

// Init makes a repository in an empty remote: a key object for each owner, and
// the first record. It returns what the host keeps.
func Init(ctx context.Context, store remote.Store, instance, version string, owners []seal.Owner) (*seal.Host, error) {
	for o, err := range store.List(ctx, "") {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", store, err)
		}
		if strings.HasPrefix(o.Name, "snapshots/") || strings.HasPrefix(o.Name, "keys/") {
			return nil, fmt.Errorf("%s holds a repository already (%s): %w", store, o.Name, ErrRefused)
		}
	}
	keys, err := seal.NewKeys()
	if err != nil {
		return nil, err
	}
	host, err := keys.Certify(instance, 1, "")
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	rec := &manifest.Record{
		Format: manifest.RecordFormat, Kind: manifest.KindInit, Repository: host.Repository, Instance: instance,
		Previous: []manifest.Hash{}, Kept: []manifest.Hash{}, Started: now, Time: now, Finished: now, Holdfast: version, Epoch: host.Epoch,
	}
	for _, owner := range owners {
		object, err := keys.SealTo(owner)
		if err != nil {
			return nil, err
		}
		k := manifest.Key{Name: sha256.Sum256(object), Size: int64(len(object))}
		if err := store.Put(ctx, k.Object(), bytes.NewReader(object), k.Size); err != nil {
			return nil, fmt.Errorf("store key: %w", err)
		}
		rec.Keys = append(rec.Keys, k)
	}
	text, err := rec.Sign(host)
	if err != nil {
		return nil, err
	}
	if err := store.Put(ctx, manifest.RecordObject(rec.Name()), bytes.NewReader(text), int64(len(text))); err != nil {
		return nil, fmt.Errorf("store record: %w", err)
	}
	return host, nil
}
