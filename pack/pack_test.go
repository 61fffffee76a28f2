package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"holdfast/seal"
)

func keys(t testing.TB) (*seal.Sealer, *seal.Opener) {
	t.Helper()
	k, err := seal.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	host, err := k.Certify("example.org", 1, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.NewSealer(host.Recipient)
	if err != nil {
		t.Fatal(err)
	}
	o, err := k.Opener()
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return b
}

func newWriter(t testing.TB, s *seal.Sealer, e Effort) *Writer {
	t.Helper()
	w, err := NewWriter(s, e)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func newReader(t testing.TB) *Reader {
	t.Helper()
	r, err := NewReader()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fill makes a pack of the chunks.
func fill(t testing.TB, s *seal.Sealer, chunks ...[]byte) Sealed {
	t.Helper()
	return fillIn(t, newWriter(t, s, Fast), make([]byte, 0, Size), chunks...)
}

// fillIn makes a pack of the chunks in buf.
func fillIn(t testing.TB, w *Writer, buf []byte, chunks ...[]byte) Sealed {
	t.Helper()
	if err := w.Start(buf); err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		if !w.Fits(len(c)) {
			t.Fatal("does not fit")
		}
		if _, err := w.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	p, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(r *Reader, o *seal.Opener, sealed []byte, name Name, size int64) ([]byte, error) {
	if err := r.Open(bytes.NewReader(sealed), name, size, o); err != nil {
		return nil, err
	}
	got, err := io.ReadAll(r)
	return got, errors.Join(err, r.Close())
}

func TestPackReadsBackInOrder(t *testing.T) {
	t.Parallel()
	s, o := keys(t)
	w, r, buf := newWriter(t, s, Fast), newReader(t), make([]byte, 0, Size)
	rapid.Check(t, func(rt *rapid.T) {
		var chunks [][]byte
		for range rapid.IntRange(0, 20).Draw(rt, "chunks") {
			n := rapid.IntRange(1, 600<<10).Draw(rt, "size")
			if rapid.Bool().Draw(rt, "dense") {
				chunks = append(chunks, random(uint64(n), n))
			} else {
				chunks = append(chunks, bytes.Repeat([]byte("text "), n/5+1))
			}
		}
		p := fillIn(t, w, buf, chunks...)
		got, err := read(r, o, p.Bytes, p.Name, int64(len(p.Bytes)))
		if err != nil || !bytes.Equal(got, bytes.Join(chunks, nil)) {
			rt.Fatalf("read %d of %d bytes, %v", len(got), p.Plain, err)
		}
		if sha256.Sum256(p.Bytes) != p.Name {
			rt.Fatal("the name is not the hash of the bytes")
		}
	})
}

func TestSampledFramesReadBackAndShrinkWhereTheyCan(t *testing.T) {
	t.Parallel()
	s, o := keys(t)
	text := bytes.Repeat([]byte("all the pictures of the instance\n"), 20_000)
	for name, c := range map[string]struct {
		data []byte
		most int // bytes of the pack
	}{
		"noise":            {random(1, 2<<20+77), 2<<20 + 16<<10},
		"text":             {text, 16 << 10},
		"noise, then text": {append(random(2, 1<<20), text...), 1<<20 + 300<<10},
		"half a block":     {random(3, 100_000), 110_000},
		"one byte":         {[]byte{7}, 8 << 10},
	} {
		w := newWriter(t, s, Sampled)
		if err := w.Start(make([]byte, 0, Size)); err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{len(c.data) / 3, 0} { // a chunk that crosses frames, then one that fills them
			if _, err := w.Add(c.data[at:]); err != nil {
				t.Fatal(err)
			}
		}
		p, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(newReader(t), o, p.Bytes, p.Name, int64(len(p.Bytes)))
		if err != nil || !bytes.Equal(got, append(bytes.Clone(c.data[len(c.data)/3:]), c.data...)) {
			t.Errorf("%s: read %d of %d bytes, %v", name, len(got), p.Plain, err)
		}
		if len(p.Bytes) > 2*c.most {
			t.Errorf("%s: pack of %d bytes", name, len(p.Bytes))
		}
	}
}

func TestPackNeverOutgrowsItsBuffer(t *testing.T) {
	t.Parallel()
	s, _ := keys(t)
	all, buf := random(1, Size+8<<20), make([]byte, 0, Size)
	for i, size := range []int{8 << 20, 1 << 20, 300_001, 70_000, 4096, 8 << 20, 4096} {
		effort := Fast
		if i > 4 {
			effort = Sampled
		}
		w, at := newWriter(t, s, effort), 0
		if err := w.Start(buf); err != nil {
			t.Fatal(err)
		}
		if !w.Fits(8 << 20) {
			t.Fatal("8 MiB don't fit an empty pack")
		}
		for w.Fits(size) {
			if _, err := w.Add(all[at : at+size]); err != nil {
				t.Fatal(err)
			}
			at += size
		}
		p, err := w.Finish()
		if err != nil {
			t.Fatalf("chunks of %d: %v", size, err)
		}
		if len(p.Bytes) > Size || len(p.Bytes) < Size-size-64<<10 {
			t.Errorf("chunks of %d: pack of %d bytes", size, len(p.Bytes))
		}
	}
}

func TestPlainBytesAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := keys(t)
	w := newWriter(t, s, Fast)
	if err := w.Start(make([]byte, 0, Size)); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	n := 0
	for w.Fits(len(zeros)) {
		w.Add(zeros)
		n++
	}
	if n != MaxPlain>>20 {
		t.Errorf("%d MiB of zeros fit, want %d", n, MaxPlain>>20)
	}
}

func TestSizesAreRoundedByPadding(t *testing.T) {
	s, o := keys(t)
	w, r, buf := newWriter(t, s, Fast), newReader(t), make([]byte, 0, Size)
	sizes := map[int]bool{}
	for n := 100; n < 2000; n += 100 {
		p := fillIn(t, w, buf, random(uint64(n), n))
		sizes[len(p.Bytes)] = true
		if _, err := read(r, o, p.Bytes, p.Name, int64(len(p.Bytes))); err != nil {
			t.Fatal(err)
		}
	}
	if len(sizes) != 1 {
		t.Errorf("packs of 100 to 1,900 bytes have %d sizes, want one", len(sizes))
	}
}

func TestContentsFindEveryFrame(t *testing.T) {
	s, o := keys(t)
	want := append(random(1, 700_000), bytes.Repeat([]byte("a row\n"), 100_000)...)
	p := fill(t, s, want[:300_000], want[300_000:])
	r, err := o.Open(bytes.NewReader(p.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	frames, plain, err := Contents(payload)
	if err != nil || plain != int64(len(want)) {
		t.Fatalf("%d plain bytes, %v", plain, err)
	}
	d, _ := newDecoder()
	for i, f := range frames {
		got, err := d.DecodeAll(payload[f.Offset:f.Offset+f.Length], nil)
		if err != nil || !bytes.Equal(got, want[i*FrameSize:min(len(want), (i+1)*FrameSize)]) {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
}

// TestEveryFlippedBitAndEveryCutIsNoticed flips one bit of each byte and cuts at
// every eighth byte. With HOLDFAST_FULL=1 it flips every bit and cuts everywhere.
func TestEveryFlippedBitAndEveryCutIsNoticed(t *testing.T) {
	t.Parallel()
	full := os.Getenv("HOLDFAST_FULL") == "1"
	s, o := keys(t)
	p := fill(t, s, []byte("one chunk"), []byte("and another"))
	size := int64(len(p.Bytes))
	r := newReader(t)
	again := func(sealed []byte) error {
		if err := r.Open(bytes.NewReader(sealed), p.Name, size, o); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r)
		return errors.Join(err, r.Close())
	}
	bad := bytes.Clone(p.Bytes)
	for at := range bad {
		for bit := range 8 {
			if !full && bit != at/8%8 {
				continue
			}
			bad[at] ^= 1 << bit
			if err := again(bad); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, at, err)
			}
			bad[at] ^= 1 << bit
		}
		if !full && at%8 != 0 && at != len(bad)-1 {
			continue
		}
		if err := again(bad[:at]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut after %d bytes: %v", at, err)
		}
	}
	if _, err := read(r, o, append(bytes.Clone(p.Bytes), 0), p.Name, size); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a byte more: %v", err)
	}
	other := fill(t, s, []byte("one chunk"), []byte("and another"))
	if _, err := read(r, o, other.Bytes, p.Name, int64(len(other.Bytes))); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("another pack under the name: %v", err)
	}
}

func TestBrokenStreamIsNotDamage(t *testing.T) {
	s, o := keys(t)
	p := fill(t, s, random(1, 3<<20))
	gone := errors.New("connection reset")
	r := newReader(t)
	err := r.Open(io.MultiReader(bytes.NewReader(p.Bytes[:1<<20]), failing{gone}), p.Name, int64(len(p.Bytes)), o)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if !errors.Is(err, gone) || errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want the stream's own error", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// sealPayload makes a pack of a payload that no Writer would write.
func sealPayload(t testing.TB, s *seal.Sealer, payload []byte) Sealed {
	var b bytes.Buffer
	w, err := s.Seal(&b)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(payload)
	w.Close()
	return Sealed{Name: sha256.Sum256(b.Bytes()), Bytes: b.Bytes()}
}

// zeros returns a zstd frame of 4 bytes for each 128 KiB of zeros (RFC 8878,
// sections 3.1.1 and 3.1.1.2: one segment of size bytes, RLE blocks).
func zeros(size int) []byte {
	const block = 128 << 10
	frame := binary.LittleEndian.AppendUint32([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0}, uint32(size))
	for size > 0 {
		n := min(size, block)
		size -= n
		header := uint32(n)<<3 | 1<<1
		if size == 0 {
			header |= 1
		}
		frame = append(frame, byte(header), byte(header>>8), byte(header>>16), 0)
	}
	return frame
}

func TestBombIsRefused(t *testing.T) {
	t.Parallel()
	s, o := keys(t)
	lenient, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := lenient.DecodeAll(zeros(1<<20), nil)
	if err != nil || !bytes.Equal(got, make([]byte, 1<<20)) {
		t.Fatalf("the test's own frame holds %d bytes, %v", len(got), err)
	}
	for name, payload := range map[string][]byte{
		"one frame of a gigabyte":   zeros(1 << 30),
		"frames that never end":     bytes.Repeat(zeros(200<<10), 2000),
		"a window of a gigabyte":    {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00},
		"a skippable length beyond": {0x5e, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff},
	} {
		p := sealPayload(t, s, payload)
		r := newReader(t)
		err := r.Open(bytes.NewReader(p.Bytes), p.Name, int64(len(p.Bytes)), o)
		var n int64
		if err == nil {
			n, err = io.Copy(io.Discard, r)
		}
		if !errors.Is(err, ErrCorrupt) || n > MaxPlain {
			t.Errorf("%s: %d bytes came out, %v", name, n, err)
		}
	}
}

func FuzzContents(f *testing.F) {
	s, o := keys(f)
	p := fill(f, s, []byte("seed"))
	r, _ := o.Open(bytes.NewReader(p.Bytes))
	payload, _ := io.ReadAll(r)
	f.Add(payload)
	f.Fuzz(func(t *testing.T, tail []byte) {
		frames, plain, err := Contents(tail)
		if err == nil && int64(len(frames)) != (plain+FrameSize-1)/FrameSize {
			t.Fatal("frames and plain bytes disagree")
		}
	})
}

func FuzzPayload(f *testing.F) {
	s, o := keys(f)
	p := fill(f, s, []byte("seed"), bytes.Repeat([]byte("row "), 1000))
	r, _ := o.Open(bytes.NewReader(p.Bytes))
	payload, _ := io.ReadAll(r)
	f.Add(payload)
	reader := newReader(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		p := sealPayload(t, s, payload)
		if err := reader.Open(bytes.NewReader(p.Bytes), p.Name, int64(len(p.Bytes)), o); err != nil {
			return
		}
		if n, _ := io.Copy(io.Discard, reader); n > MaxPlain {
			t.Fatal("more than MaxPlain")
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	s, _ := keys(b)
	text := bytes.Repeat(random(1, 1000), 1000)
	for name, chunk := range map[string][]byte{"dense": random(1, 1<<20), "text": text} {
		b.Run(name, func(b *testing.B) {
			w := newWriter(b, s, Fast)
			buf := make([]byte, 0, Size)
			b.SetBytes(int64(8 * len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				w.Start(buf)
				for range 8 {
					w.Add(chunk)
				}
				if _, err := w.Finish(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	s, o := keys(b)
	p := fill(b, s, random(1, 8<<20))
	r := newReader(b)
	b.SetBytes(8 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Open(bytes.NewReader(p.Bytes), p.Name, int64(len(p.Bytes)), o); err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, r)
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
