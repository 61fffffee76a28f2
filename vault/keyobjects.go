package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/manifest"
	"holdfast/remote"
)

// keepKeys looks after the key objects: without one, nobody opens any snapshot.
// This host keeps a copy of each, sealed as it is, and puts back what the remote
// lost.
func (b *backup) keepKeys(ctx context.Context) error {
	dir := filepath.Join(b.cfg.State, "keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep key objects: %w", err)
	}
	keys := b.repo.log.Keys()
	if head := b.repo.Head(); len(keys) > len(head.Keys) {
		b.damage("find out who signed that snapshot: this server's key may be stolen (docs/threats.md)",
			"snapshot %s, the newest, leaves out key objects that earlier ones name; this one names them again", head.ID())
	}
	for _, k := range keys {
		path := filepath.Join(dir, k.Name.Hex())
		// A copy that can't be read, or that somebody changed, is none.
		copied, readErr := os.ReadFile(path)
		kept := readErr == nil && manifest.Hash(sha256.Sum256(copied)) == k.Name
		o, there := b.repo.objects[k.Object()]
		whole := there && o.Size == k.Size
		var err error
		switch {
		case whole && !kept:
			err = b.copyKey(ctx, k, path)
		case !whole && kept:
			err = b.putKeyBack(ctx, k, copied)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copyKey keeps a copy of a key object.
func (b *backup) copyKey(ctx context.Context, k manifest.Key, path string) error {
	object, err := b.repo.get(ctx, k.Object(), maxKeyObject)
	if errors.Is(err, ErrDamage) {
		b.damage("copy the key object back from a mirror", "a key object is damaged: %v; its owner can't restore", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep key objects: %w", err)
	}
	if err := os.WriteFile(path, object, 0o600); err != nil {
		return fmt.Errorf("keep key objects: %w", err)
	}
	return nil
}

func (b *backup) putKeyBack(ctx context.Context, k manifest.Key, object []byte) error {
	if err := b.repo.store.Put(ctx, k.Object(), bytes.NewReader(object), k.Size); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		b.report.Warnings = append(b.report.Warnings, fmt.Sprintf("%s could not be put back: %v", k.Object(), err))
		return nil
	}
	b.repo.objects[k.Object()] = remote.Object{Name: k.Object(), Size: k.Size}
	b.damage("ask the storage's provider who deleted or changed objects; holdfast verify --data all checks all others",
		"%s, without which an owner can't restore, was gone from the remote or had another size, and was put back from this host's copy", k.Object())
	return nil
}

// ownKeysFix is what helps where the instance's server still has its copies.
const ownKeysFix = "delete the object if it is there, and run holdfast backup on the instance's server, which puts it back where the folder keys of its state folder has a copy"

// keysGoneFix is what is left to do where no key object is left.
const keysGoneFix = "copy the objects below keys/ back from a mirror; where there is none, nothing that is stored there can be opened any more: " +
	"move the configuration and the state folder away and run holdfast init with a new prefix or folder"
