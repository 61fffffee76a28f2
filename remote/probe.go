package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// ProbePrefix starts the name of each object of [Probe].
const ProbePrefix = "probes/"

// Probe tries all that a backup needs: Probe puts a new object of a few bytes, lists
// the object and gets the object. At the end Probe deletes the object. A storage that
// denies the deletion keeps the object: a host needs no right to delete.
func Probe(ctx context.Context, s Store) error {
	data := []byte("holdfast probe " + rand.Text() + "\n")
	sum := sha256.Sum256(data)
	name := ProbePrefix + hex.EncodeToString(sum[:])
	if err := s.Put(ctx, name, bytes.NewReader(data), int64(len(data))); err != nil {
		return fmt.Errorf("try to store an object: %w", err)
	}
	if p, ok := s.(Pruner); ok {
		defer func() { _ = p.Delete(ctx, name) }() // the storage may deny the deletion
	}
	for _, err := range s.List(ctx, ProbePrefix) {
		if err != nil {
			return fmt.Errorf("try to list objects: %w", err)
		}
	}
	got, err := read(ctx, s, name)
	if err != nil {
		return fmt.Errorf("try to read an object: %w", err)
	}
	if !bytes.Equal(got, data) {
		return fmt.Errorf("try to read an object: the storage returned other bytes than were stored as %s", name)
	}
	return nil
}

// read reads a small object.
func read(ctx context.Context, s Store, name string) ([]byte, error) {
	body, err := s.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, 1<<10))
}
