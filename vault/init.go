package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"holdfast/manifest"
	"holdfast/remote"
	"holdfast/seal"
)

// Founding is a new repository before the remote knows of it: what the host
// keeps, a key object for each owner, and the first record.
type Founding struct {
	// Host is to be saved before Publish: without it nothing can be added to
	// the repository.
	Host *seal.Host

	objects []sealed // the record last
}

type sealed struct {
	name  string
	bytes []byte
}

// Found makes the keys of a new repository, and puts nothing yet.
func Found(instance, version string, owners []seal.Owner) (*Founding, error) {
	keys, err := seal.NewKeys()
	if err != nil {
		return nil, err
	}
	host, err := keys.Certify(instance, 1, "")
	if err != nil {
		return nil, err
	}
	f := &Founding{Host: host}
	made := now()
	rec := &manifest.Record{
		Format: manifest.RecordFormat, Kind: manifest.KindInit, Repository: host.Repository, Instance: instance,
		Previous: []manifest.Hash{}, Kept: []manifest.Hash{}, Started: made, Time: made, Finished: made, Holdfast: version, Epoch: host.Epoch,
	}
	for _, owner := range owners {
		object, err := keys.SealTo(owner)
		if err != nil {
			return nil, err
		}
		k := manifest.Key{Name: sha256.Sum256(object), Size: int64(len(object))}
		rec.Keys = append(rec.Keys, k)
		f.objects = append(f.objects, sealed{k.Object(), object})
	}
	text, err := rec.Sign(host)
	if err != nil {
		return nil, err
	}
	f.objects = append(f.objects, sealed{manifest.RecordObject(rec.Name()), text})
	return f, nil
}

// Publish puts the new repository into a remote that holds none. The record
// goes last: key objects alone, of a try that failed, are in nobody's way.
func (f *Founding) Publish(ctx context.Context, store remote.Store) error {
	for o, err := range store.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("list %s: %w", store, err)
		}
		if strings.HasPrefix(o.Name, "snapshots/") || strings.HasPrefix(o.Name, "packs/") {
			return fmt.Errorf("%s holds a repository already (%s): %w", store, o.Name, ErrRefused)
		}
	}
	for _, o := range f.objects {
		if err := store.Put(ctx, o.name, bytes.NewReader(o.bytes), int64(len(o.bytes))); err != nil {
			return fmt.Errorf("store %s: %w", o.name, err)
		}
	}
	return nil
}

// Init makes a repository in an empty remote and returns what the host keeps.
func Init(ctx context.Context, store remote.Store, instance, version string, owners []seal.Owner) (*seal.Host, error) {
	f, err := Found(instance, version, owners)
	if err != nil {
		return nil, err
	}
	return f.Host, f.Publish(ctx, store)
}
