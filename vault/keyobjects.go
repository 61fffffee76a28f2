package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/disk"
	"holdfast/manifest"
)

// keepKeys looks after the key objects, which open every snapshot. This host
// keeps a sealed copy of each key object, and puts lost key objects back.
func (u *upkeep) keepKeys(ctx context.Context) error {
	dir := filepath.Join(u.state, "keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep key objects: %w", err)
	}
	keys := u.repo.log.Keys()
	if head := u.repo.Head(); len(keys) > len(head.Keys) {
		u.report.addDamage("find out who signed that snapshot: this server's key may be stolen (docs/threats.md)",
			"snapshot %s, the newest, leaves out key objects of earlier snapshots; this backup names them again",
			head.ID())
	}
	for _, k := range keys {
		path := filepath.Join(dir, k.Name.Hex())
		// An unreadable or changed copy counts as missing.
		copied, readErr := os.ReadFile(path)
		kept := readErr == nil && manifest.Hash(sha256.Sum256(copied)) == k.Name
		whole := u.repo.objects.has(k.Object(), k.Size)
		var err error
		switch {
		case whole && !kept:
			err = u.copyKey(ctx, k, path)
		case !whole && kept:
			err = u.putKeyBack(ctx, k, copied)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copyKey keeps a copy of a key object.
func (u *upkeep) copyKey(ctx context.Context, k manifest.Key, path string) error {
	object, err := u.repo.get(ctx, k.Object(), maxKeyObject)
	if errors.Is(err, ErrDamage) {
		u.report.addDamage("copy the key object back from a mirror",
			"a key object is damaged: %v; its owner can't restore", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep key objects: %w", err)
	}
	if err := disk.Replace(path, object); err != nil {
		return fmt.Errorf("keep key objects: %w", err)
	}
	return nil
}

func (u *upkeep) putKeyBack(ctx context.Context, k manifest.Key, object []byte) error {
	if err := u.repo.store.Put(ctx, k.Object(), bytes.NewReader(object), k.Size); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		u.report.Warnings = append(u.report.Warnings, fmt.Sprintf("%s could not be put back: %v", k.Object(), err))
		return nil
	}
	u.repo.objects.set(k.Object(), k.Size)
	u.report.addDamage(askProviderFix,
		"%s, without which an owner can't restore, was gone from the remote or had another size, "+
			"and was put back from this host's copy", k.Object())
	return nil
}

// ownKeysFix helps if the instance's server still has its copies.
const ownKeysFix = "delete the object if it exists, and run holdfast backup on the instance's server, " +
	"which puts the object back if keys/ in the state folder holds a copy"

// keysGoneFix is the last resort, if every key object is gone.
const keysGoneFix = "copy the objects below keys/ back from a mirror; without a mirror " +
	"nobody can open the stored data: move the configuration and the state folder away " +
	"and run holdfast init with a new prefix or folder"

// askProviderFix follows the news that objects were gone and are put back.
const askProviderFix = "ask the storage's provider who deleted or changed objects; " +
	"holdfast verify --data all checks all others"
