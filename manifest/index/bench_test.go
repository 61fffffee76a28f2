package index

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// packOf makes the chunks of a pack of rows, each of 5 KiB.
func packOf(number uint32) (Pack, Contents) {
	var c Contents
	for i := range 3300 {
		id := sha256.Sum256(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, number), uint32(i)))
		c.Chunks = append(c.Chunks, Chunk{id, int64(i) * 5 << 10, 5 << 10})
	}
	return Pack{Pack: manifest.Pack{Number: number, Name: c.Chunks[0].ID, Size: 16 << 20}, Part: manifest.Database}, c
}

// BenchmarkAddPack has an index of a gigabyte of rows.
func BenchmarkAddPack(b *testing.B) {
	x, _, err := Open(b.TempDir())
	testkit.OK(b, err)
	defer x.Close()
	number := uint32(0)
	add := func() {
		number++
		p, c := packOf(number)
		testkit.OK(b, x.AddPack(p, c))
	}
	for range 64 {
		add()
	}
	for b.Loop() {
		add()
	}
}

// BenchmarkFind looks for chunks in the order of storing, and for
// unknown chunks.
func BenchmarkFind(b *testing.B) {
	dir := b.TempDir()
	x, _, err := Open(dir)
	testkit.OK(b, err)
	for n := range uint32(64) {
		testkit.OK(b, x.AddPack(packOf(n+1)))
	}
	testkit.OK(b, x.Close())
	if x, _, err = Open(dir); err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	for _, found := range []bool{true, false} {
		b.Run(map[bool]string{true: "known", false: "unknown"}[found], func(b *testing.B) {
			n := uint32(0)
			for b.Loop() {
				b.StopTimer()
				_, c := packOf(n%64 + 1)
				if !found {
					_, c = packOf(1000 + n)
				}
				n++
				b.StartTimer()
				f := x.Finder(manifest.Database)
				for _, k := range c.Chunks {
					if _, ok, err := f.Find(k.ID); err != nil || ok != found {
						b.Fatal(ok, err)
					}
				}
			}
		})
	}
}
