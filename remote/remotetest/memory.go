package remotetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"
	"strings"
	"sync"
	"time"

	"holdfast/remote"
)

// Memory is a [remote.Store] and a [remote.Pruner] in memory. List is in random
// order. The zero Memory is empty and ready.
type Memory struct {
	mu      sync.Mutex // guards objects
	objects map[string]object
}

type object struct {
	data     []byte
	modified time.Time
}

// Plant stores data under any name, without a check: foreign or damaged objects.
func (m *Memory) Plant(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects = map[string]object{}
	}
	m.objects[name] = object{bytes.Clone(data), time.Now()}
}

// Put implements [remote.Store].
func (m *Memory) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	if err := check(ctx, name); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(body, 0, size), data); err != nil {
		return fmt.Errorf("put %s: read body: %w", name, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	if Name(path.Dir(name), data) != name {
		return fmt.Errorf("put %s: the SHA-256 of the bytes differs", name)
	}
	m.Plant(name, data)
	return nil
}

// Get implements [remote.Store].
func (m *Memory) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	object, err := m.object(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	return io.NopCloser(bytes.NewReader(object.data)), nil
}

// List implements [remote.Store].
func (m *Memory) List(ctx context.Context, prefix string) iter.Seq2[remote.Object, error] {
	return func(yield func(remote.Object, error) bool) {
		m.mu.Lock()
		objects := maps.Clone(m.objects)
		m.mu.Unlock()
		for name, o := range objects {
			if err := ctx.Err(); err != nil {
				yield(remote.Object{}, fmt.Errorf("list: %w", err))
				return
			}
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			if !yield(remote.Object{Name: name, Size: int64(len(o.data)), Modified: o.modified}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(remote.Object{}, fmt.Errorf("list: %w", err))
		}
	}
}

// Delete implements [remote.Pruner].
func (m *Memory) Delete(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}

// String returns "memory:".
func (m *Memory) String() string { return "memory:" }

// Close does nothing.
func (m *Memory) Close() error { return nil }

func (m *Memory) object(ctx context.Context, name string) (object, error) {
	if err := check(ctx, name); err != nil {
		return object{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[name]
	if !ok {
		return object{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return o, nil
}

func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return remote.CheckName(name)
}

// Name returns the name of an object of the kind with the given bytes.
func Name(kind string, data []byte) string {
	sum := sha256.Sum256(data)
	return kind + "/" + hex.EncodeToString(sum[:])
}
