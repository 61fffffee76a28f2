package index

import (
	"math/rand/v2"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// find checks that f finds the chunk in the pack, or nowhere if number is 0.
func find(t *testing.T, f *Finder, k Chunk, number uint32) {
	t.Helper()
	e, ok, err := f.Find(k.ID)
	testkit.OK(t, err)
	want := manifest.Extent{Pack: number, Offset: k.Offset, Length: k.Length}
	if ok != (number != 0) || ok && e != want {
		t.Fatalf("chunk of pack %d: found %v at %+v, want %+v", number, ok, e, want)
	}
}

// The test reads the index with a filter, then without.
func TestChunksAreFoundInEveryOrder(t *testing.T) {
	dir := t.TempDir()
	x := opened(t, dir)
	const packs = 9
	chunks := make([][]Chunk, packs+1) // of packs 1 to 9, and of a pack that the index lacks
	for n := range chunks {
		p, c := packOf(uint32(n + 1))
		chunks[n] = c.Chunks
		if n == packs {
			break
		}
		testkit.OK(t, x.AddPack(p, c))
	}
	check := func(x *Index) {
		f := x.Finder(manifest.Database)
		for n := range uint32(packs + 1) {
			for _, k := range chunks[n] {
				find(t, f, k, (n+1)%(packs+1))
			}
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 2000 {
			n := random.Uint32N(packs) + 1
			find(t, f, chunks[n-1][random.IntN(len(chunks[n-1]))], n)
		}
	}
	check(x)
	x.Close()
	check(opened(t, dir))
}

func TestFinderForgetsADroppedPack(t *testing.T) {
	x := opened(t, t.TempDir())
	p, c := packOf(1)
	testkit.OK(t, x.AddPack(p, c))
	f := x.Finder(manifest.Database)
	for _, k := range c.Chunks[:3] {
		find(t, f, k, 1)
	}
	testkit.OK(t, x.Drop([]uint32{1}))
	find(t, f, c.Chunks[4], 0)
}

func TestNewerChunkOfAKeyReplacesTheOlder(t *testing.T) {
	x := opened(t, t.TempDir())
	one, other := sum(1), sum(1)
	other[31]++
	for n, id := range []manifest.Hash{one, other} {
		err := x.AddPack(smallPack(uint32(n+1), manifest.Media), Contents{Chunks: []Chunk{{id, 0, 5}}})
		testkit.OK(t, err)
	}
	find(t, x.Finder(manifest.Media), Chunk{one, 0, 5}, 0)
	find(t, x.Finder(manifest.Media), Chunk{other, 0, 5}, 2)
}
