package vault_test

import (
	"context"
	"io"
	"strings"
	"sync"

	"holdfast/manifest"
	"holdfast/remote"
)

// held is a store whose packs wait until the first view of the database ends.
type held struct {
	remote.Store
	ended chan struct{}
}

// holdPacks makes the packs of the next backup wait for the end of a view.
func (w *world) holdPacks() {
	h := &held{w.store, make(chan struct{})}
	w.src.onEnd = sync.OnceFunc(func() { close(h.ended) })
	w.store = h
}

func (h *held) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	if strings.HasPrefix(name, manifest.PackObjectPrefix) {
		select {
		case <-h.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return h.Store.Put(ctx, name, body, size)
}
