package chunking

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/restic/chunker"
	"pgregory.net/rapid"
)

const polynomial = chunker.Pol(0x3DA3358B4DC173)

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

func cut(t testing.TB, data []byte, s Sizes) (chunks [][]byte) {
	t.Helper()
	c, err := NewCutter(bytes.NewReader(data), polynomial, s)
	if err != nil {
		t.Fatal(err)
	}
	for {
		chunk, err := c.Next(make([]byte, s.Max))
		if errors.Is(err, io.EOF) {
			return chunks
		}
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, bytes.Clone(chunk))
	}
}

func TestChunksJoinToTheStreamWithinBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.SampledFrom([]Sizes{Rows, Lines}).Draw(rt, "sizes")
		data := random(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(0, 300<<10).Draw(rt, "size"))
		chunks := cut(t, data, s)
		if !bytes.Equal(bytes.Join(chunks, nil), data) {
			rt.Fatal("chunks don't join to the stream")
		}
		for i, c := range chunks {
			if len(c) > s.Max || len(c) == 0 || (len(c) < s.Min && i < len(chunks)-1) {
				rt.Fatalf("chunk %d of %d has %d bytes, bounds %+v", i, len(chunks), len(c), s)
			}
		}
	})
}

func TestAverageIsAsPromised(t *testing.T) {
	for _, s := range []Sizes{Rows, Lines} {
		want := s.Min + 1<<s.Bits
		n := len(cut(t, random(1, 64*want), s))
		if n < 40 || n > 100 {
			t.Errorf("%+v: 64 averages were cut into %d chunks", s, n)
		}
	}
}

func TestAnInsertedLineChangesFewChunks(t *testing.T) {
	before := random(7, 1<<20)
	after := append(append(bytes.Clone(before[:500_000]), "one line more\n"...), before[500_000:]...)
	known := map[string]bool{}
	for _, c := range cut(t, before, Lines) {
		known[string(c)] = true
	}
	fresh := 0
	for _, c := range cut(t, after, Lines) {
		if !known[string(c)] {
			fresh++
		}
	}
	if fresh == 0 || fresh > 3 {
		t.Errorf("%d new chunks after an insertion, want 1 to 3", fresh)
	}
}

// Other boundaries would make every host store every byte again.
func TestBoundariesNeverMove(t *testing.T) {
	var ends []int
	at := 0
	for _, c := range cut(t, random(42, 64<<10), Rows) {
		at += len(c)
		ends = append(ends, at)
	}
	want := []int{10386, 12710, 14832, 19218, 24602, 27783, 38199, 50619, 57186, 63466, 65536}
	if len(ends) != len(want) {
		t.Fatalf("ends %v, want %v", ends, want)
	}
	for i := range want {
		if ends[i] != want[i] {
			t.Fatalf("ends %v, want %v", ends, want)
		}
	}
}

func TestSizesThatCannotWorkAreRefused(t *testing.T) {
	for _, s := range []Sizes{{Min: 32, Max: 1 << 20, Bits: 10}, {Min: 64, Max: 100, Bits: 10}} {
		if _, err := NewCutter(nil, polynomial, s); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	if c, err := NewCutter(bytes.NewReader(nil), polynomial, Rows); err != nil {
		t.Error(err)
	} else if _, err := c.Next(make([]byte, 100)); err == nil || errors.Is(err, io.EOF) {
		t.Error("a small buffer was accepted")
	}
	if _, err := NewCutter(nil, 4, Rows); err == nil {
		t.Error("a reducible polynomial was accepted")
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte("a line\nanother\n"))
	f.Add(bytes.Repeat([]byte{0}, 100<<10))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.Equal(bytes.Join(cut(t, data, Lines), nil), data) {
			t.Fatal("chunks don't join to the stream")
		}
	})
}

func BenchmarkCut(b *testing.B) {
	data := random(1, 16<<20)
	buf := make([]byte, Rows.Max)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		c, _ := NewCutter(bytes.NewReader(data), polynomial, Rows)
		for {
			if _, err := c.Next(buf); err != nil {
				break
			}
		}
	}
}
