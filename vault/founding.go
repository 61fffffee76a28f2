package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/seal"
)

// Founding is a new repository before its objects are in the remote: the host's
// key, a key object for each owner, and the first record.
type Founding struct {
	// Host is the host's key. Save it before Publish: without it nobody can add
	// anything to the repository.
	Host *seal.Host

	objects []newObject // the record last
}

// newObject is an object that Publish puts.
type newObject struct {
	name  string
	bytes []byte
}

// NewFounding makes the keys and objects of a new repository. domain names the
// instance, version the program. NewFounding puts nothing into a remote.
func NewFounding(domain, version string, owners []seal.Owner) (*Founding, error) {
	keys, err := seal.NewKeys()
	if err != nil {
		return nil, err
	}
	host, err := keys.Certify(domain, 1, "")
	if err != nil {
		return nil, err
	}
	f := &Founding{Host: host}
	made := now()
	rec := &manifest.Record{
		Format: manifest.RecordFormat, Kind: manifest.KindInit, Repository: host.Repository, Instance: domain,
		Previous: []manifest.Hash{}, Kept: []manifest.Hash{}, Started: made, Time: made, Finished: made,
		Holdfast: version, Epoch: host.Epoch,
	}
	for _, owner := range owners {
		object, err := keys.SealTo(owner)
		if err != nil {
			return nil, err
		}
		k := manifest.Key{Name: sha256.Sum256(object), Size: int64(len(object))}
		rec.Keys = append(rec.Keys, k)
		f.objects = append(f.objects, newObject{k.Object(), object})
	}
	text, err := rec.Sign(host)
	if err != nil {
		return nil, err
	}
	f.objects = append(f.objects, newObject{manifest.RecordObject(rec.Name()), text})
	return f, nil
}

// Publish puts the new repository into a remote without a repository; otherwise
// the error is ErrRefused. The record goes last. Key objects of a failed
// Publish do not hinder the next Publish.
func (f *Founding) Publish(ctx context.Context, store remote.Store) error {
	for o, err := range store.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("list %s: %w", store, err)
		}
		if strings.HasPrefix(o.Name, manifest.RecordObjectPrefix) ||
			strings.HasPrefix(o.Name, manifest.PackObjectPrefix) {
			return fmt.Errorf("%s holds a repository already (%s): %w", store, remedy.Cut(o.Name), ErrRefused)
		}
	}
	for _, o := range f.objects {
		if err := store.Put(ctx, o.name, bytes.NewReader(o.bytes), int64(len(o.bytes))); err != nil {
			return fmt.Errorf("store the new repository: %w", err) // err has the name
		}
	}
	return nil
}
