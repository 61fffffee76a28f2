package vault

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"holdfast/manifest"
	"holdfast/remedy"
)

// Bounds of the objects that a LIST keeps in memory. Half a million packs hold up to
// 8 TiB. Further foreign objects are passed over.
const (
	maxObjects = 1 << 19
	maxForeign = 10_000
)

// objects are the objects of the last LIST, with their sizes in bytes. Whoever writes to
// the remote can add names: a name of the repository's form costs 40 bytes, not its text.
type objects struct {
	own     map[string]map[manifest.Hash]int64 // by the prefix of the kind
	foreign map[string]int64
}

func newObjects() objects {
	return objects{
		own: map[string]map[manifest.Hash]int64{
			manifest.PackObjectPrefix: {}, manifest.KeyObjectPrefix: {}, manifest.RecordObjectPrefix: {},
		},
		foreign: map[string]int64{},
	}
}

// size returns the size of an object, or 0 and false for an object that the remote lacks.
func (o objects) size(object string) (size int64, listed bool) {
	if prefix, name, ok := manifest.ParseObject(object); ok {
		size, listed = o.own[prefix][name]
		return size, listed
	}
	size, listed = o.foreign[object]
	return size, listed
}

// has reports whether an object is listed at a size.
func (o objects) has(object string, size int64) bool {
	listed, there := o.size(object)
	return there && listed == size
}

// set adds an object, or changes its size.
func (o objects) set(object string, size int64) {
	prefix, name, ok := manifest.ParseObject(object)
	switch object = remedy.Cut(object); {
	case ok:
		o.own[prefix][name] = size
	case len(o.foreign) < maxForeign:
		o.foreign[object] = size
	}
}

// forget removes the objects whose names start with prefix: a kind's prefix or "".
func (o objects) forget(prefix string) {
	for kind, names := range o.own {
		if strings.HasPrefix(kind, prefix) {
			clear(names)
		}
	}
	maps.DeleteFunc(o.foreign, func(object string, _ int64) bool { return strings.HasPrefix(object, prefix) })
}

// count returns the number of objects of the repository's form.
func (o objects) count() (n int) {
	for _, names := range o.own {
		n += len(names)
	}
	return n
}

// named yields the repository's objects of one kind.
func (o objects) named(prefix string) iter.Seq2[manifest.Hash, int64] { return maps.All(o.own[prefix]) }

// all yields the names and sizes of all objects.
func (o objects) all() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, prefix := range slices.Sorted(maps.Keys(o.own)) {
			for name, size := range o.named(prefix) {
				if !yield(prefix+name.Hex(), size) {
					return
				}
			}
		}
		for object, size := range o.foreign {
			if !yield(object, size) {
				return
			}
		}
	}
}
