package pack

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"holdfast/seal"
)

// Reader streams the decompressed bytes of a pack, then of the next pack. A
// Reader holds about 1 MiB and is not safe for concurrent use.
type Reader struct {
	decoder *zstd.Decoder
	source  source
	plain   int64 // decompressed bytes returned so far
	name    Name
	size    int64 // sealed bytes
}

// NewReader returns a reader without a pack. Call Open next.
func NewReader() (*Reader, error) {
	d, err := newDecoder()
	if err != nil {
		return nil, err
	}
	return &Reader{decoder: d, source: source{sum: sha256.New()}}, nil
}

// Open starts to read a pack of the given name and sealed size from sealed. age
// authenticates the bytes of Read, but age knows no sender. The bytes belong to
// the pack of the name only if Close returns nil. Open reads no more than the size
// and [Size] allow, whatever sealed holds.
func (r *Reader) Open(sealed io.Reader, name Name, size int64, opener *seal.Opener) error {
	r.source.sum.Reset()
	r.source.r, r.source.n, r.source.err = io.LimitReader(sealed, min(size, Size)+1), 0, nil
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

// Read returns decompressed bytes in order. Read wraps an error of the sealed
// stream. Bytes that age or zstd refuses are [ErrCorrupt].
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.decoder.Read(p)
	r.plain += int64(n)
	if r.plain > MaxPlain {
		return 0, fmt.Errorf("read pack: more than %d bytes decompressed: %w", MaxPlain, ErrCorrupt)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, r.failed(err)
	}
	return n, err
}

// Skip discards the next n bytes. The end of the pack is [ErrCorrupt].
func (r *Reader) Skip(n int64) error {
	_, err := io.CopyN(io.Discard, r, n)
	return r.truncated(err)
}

// ReadFull fills p. The end of the pack is [ErrCorrupt].
func (r *Reader) ReadFull(p []byte) error {
	_, err := io.ReadFull(r, p)
	return r.truncated(err)
}

// truncated turns the end of the pack into damage, and passes other errors on.
func (r *Reader) truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read pack: end after %d bytes: %w", r.plain, ErrCorrupt)
	}
	return err
}

// Close hashes the rest of the sealed bytes and checks size and name. A wrong
// size or name is [ErrCorrupt].
func (r *Reader) Close() error {
	if _, err := io.Copy(io.Discard, io.LimitReader(&r.source, r.size-r.source.n+1)); err != nil {
		return err
	}
	if r.source.n != r.size {
		return fmt.Errorf("read pack: %d bytes, want %d: %w", r.source.n, r.size, ErrCorrupt)
	}
	if Name(r.source.sum.Sum(nil)) != r.name {
		return fmt.Errorf("read pack: the SHA-256 differs from the name: %w", ErrCorrupt)
	}
	return nil
}

// failed tells a broken stream from damage.
func (r *Reader) failed(err error) error {
	if r.source.err != nil {
		return fmt.Errorf("read pack: %w", r.source.err)
	}
	return fmt.Errorf("read pack: %w: %w", ErrCorrupt, err)
}

// source reads, counts and hashes sealed bytes, and keeps the stream's error.
type source struct {
	r   io.Reader
	sum hash.Hash
	n   int64
	err error // never io.EOF
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
