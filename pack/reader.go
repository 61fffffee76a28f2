package pack

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"holdfast/seal"
)

// Reader streams the decompressed bytes of packs, one after another. It holds
// about 1 MiB. It is not for concurrent use.
type Reader struct {
	decoder *zstd.Decoder
	source  source
	plain   int64
	name    Name
	size    int64
}

// NewReader returns a reader that awaits Open.
func NewReader() (*Reader, error) {
	d, err := newDecoder()
	if err != nil {
		return nil, err
	}
	return &Reader{decoder: d, source: source{sum: sha256.New()}}, nil
}

// Open begins to read the pack of that name and sealed size from sealed. What
// Read returns was authenticated by age, which does not know the sender: only
// once Close returned nil was it the pack of that name.
func (r *Reader) Open(sealed io.Reader, name Name, size int64, opener *seal.Opener) error {
	r.source.sum.Reset()
	r.source.r, r.source.n, r.source.err = sealed, 0, nil
	r.name, r.size, r.plain = name, size, 0
	payload, err := opener.Open(&r.source)
	if err != nil {
		return r.failed(err)
	}
	if err := r.decoder.Reset(payload); err != nil {
		return r.failed(err)
	}
	return nil
}

// Read returns decompressed bytes in order. An error of the underlying stream
// is returned as it came; bytes that can't be opened or decompressed are
// [ErrDamaged].
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.decoder.Read(p)
	r.plain += int64(n)
	if r.plain > MaxPlain {
		return 0, fmt.Errorf("read pack: more than %d bytes decompressed: %w", MaxPlain, ErrDamaged)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, r.failed(err)
	}
	return n, err
}

// Skip passes over n bytes.
func (r *Reader) Skip(n int64) error {
	if _, err := io.CopyN(io.Discard, r, n); err != nil {
		return r.short(err)
	}
	return nil
}

// ReadFull fills p.
func (r *Reader) ReadFull(p []byte) error {
	_, err := io.ReadFull(r, p)
	return r.short(err)
}

// short turns the end of a pack where bytes were promised into damage.
func (r *Reader) short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read pack: it ends after %d bytes: %w", r.plain, ErrDamaged)
	}
	return err
}

// Close reads the rest of the sealed bytes, without opening them, and checks
// size and name.
func (r *Reader) Close() error {
	if _, err := io.Copy(io.Discard, io.LimitReader(&r.source, r.size-r.source.n+1)); err != nil {
		return err
	}
	if r.source.n != r.size {
		return fmt.Errorf("read pack: %d bytes, want %d: %w", r.source.n, r.size, ErrDamaged)
	}
	if Name(r.source.sum.Sum(nil)) != r.name {
		return fmt.Errorf("read pack: its bytes don't hash to its name: %w", ErrDamaged)
	}
	return nil
}

func (r *Reader) failed(err error) error {
	if r.source.err != nil {
		return fmt.Errorf("read pack: %w", r.source.err)
	}
	return fmt.Errorf("read pack: %w: %w", ErrDamaged, err)
}

// source hashes sealed bytes on their way and remembers why the stream broke.
type source struct {
	r   io.Reader
	sum hash.Hash
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	s.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// Frame is one zstd frame as the table of contents tells it.
type Frame struct {
	Offset int64 // in the pack's payload
	Length int64 // compressed bytes
}

// Contents reads the table of contents from the end of a pack's payload, for
// readers who want some bytes of a large pack only: the bytes at plaintext
// offset o lie in frame o / FrameSize. tail is the payload's end, as much of it
// as there is or more than the table is long.
func Contents(tail []byte) (frames []Frame, plain int64, err error) {
	bad := func(what string) ([]Frame, int64, error) {
		return nil, 0, fmt.Errorf("read table of contents: %s: %w", what, ErrDamaged)
	}
	if len(tail) < skippableHead+4 {
		return bad("too short")
	}
	n := binary.LittleEndian.Uint32(tail[len(tail)-4:])
	if n < skippableHead+4 || int64(n) > int64(len(tail)) {
		return bad("its length is wrong")
	}
	table := tail[len(tail)-int(n):]
	if binary.LittleEndian.Uint32(table) != magicContents || binary.LittleEndian.Uint32(table[4:]) != n-skippableHead {
		return bad("not where it should be")
	}
	table = table[skippableHead : len(table)-4]
	if len(table) < 5 || string(table[:4]) != "HFPK" {
		return bad("not ours")
	}
	if table[4] != 1 {
		return nil, 0, fmt.Errorf("read table of contents: version %d, this program knows 1", table[4])
	}
	table = table[5:]
	var fields [3]uint64
	for i := range fields {
		if fields[i], table, err = uvarint(table); err != nil {
			return bad("cut off")
		}
	}
	size, total, count := fields[0], fields[1], fields[2]
	if size != FrameSize || total > MaxPlain || count != (total+FrameSize-1)/FrameSize {
		return bad("its numbers contradict each other")
	}
	var at int64
	for range count {
		var length uint64
		if length, table, err = uvarint(table); err != nil || length > 2*FrameSize {
			return bad("cut off")
		}
		frames = append(frames, Frame{at, int64(length)})
		at += int64(length)
	}
	if len(table) != 0 {
		return bad("bytes are left over")
	}
	return frames, int64(total), nil
}

func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return v, b[n:], nil
}
