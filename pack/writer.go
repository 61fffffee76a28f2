package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"holdfast/seal"
)

// Writer fills packs, one after another, each in a buffer of the caller. A
// Writer holds about 1 MiB beside the buffer and is not safe for concurrent use.
type Writer struct {
	sealer  *seal.Sealer
	effort  Effort
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	sum     hash.Hash

	sink    sink
	sealed  io.WriteCloser
	frame   []byte // plaintext before compression, less than FrameSize
	packed  []byte // scratch: the compressed frame
	check   []byte // scratch: the frame decompressed again
	plain   int64  // decompressed bytes, the waiting frame's included
	payload int64  // bytes given to age
	lengths []int  // of compressed frames
}

// Sealed is a finished pack.
type Sealed struct {
	Name  Name
	Bytes []byte // in the buffer from Start
	Plain int64  // decompressed bytes
}

// Effort is the time that a Writer spends to make frames small.
type Effort int

const (
	// Fast is for databases: twice the time would save 0.7 %.
	Fast Effort = iota
	// Sampled is for media, mostly compressed files: a frame whose sample does not
	// shrink is stored uncompressed.
	Sampled
	// Thorough is for the listing, a small part of a snapshot.
	Thorough
)

// NewWriter returns a writer without a pack. Call Start next.
func NewWriter(s *seal.Sealer, e Effort) (*Writer, error) {
	level := zstd.SpeedFastest
	if e == Thorough {
		level = zstd.SpeedBetterCompression
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(FrameSize), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	decoder, err := newDecoder()
	if err != nil {
		return nil, err
	}
	return &Writer{
		sealer: s, effort: e, encoder: encoder, decoder: decoder, sum: sha256.New(), frame: make([]byte, 0, FrameSize),
	}, nil
}

// newDecoder returns a decoder that refuses frames of more than FrameSize bytes.
func newDecoder() (*zstd.Decoder, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(FrameSize), zstd.WithDecoderMaxMemory(FrameSize))
	if err != nil {
		return nil, fmt.Errorf("make decompressor: %w", err)
	}
	return d, nil
}

// Start starts a pack in buf. The capacity of buf must be at least Size.
func (w *Writer) Start(buf []byte) error {
	if cap(buf) < Size {
		return fmt.Errorf("start pack: a buffer of %d bytes, want %d", cap(buf), Size)
	}
	w.sum.Reset()
	w.sink = sink{buf: buf[:0], sum: w.sum}
	w.frame, w.lengths, w.plain, w.payload = w.frame[:0], w.lengths[:0], 0, 0
	var err error
	if w.sealed, err = w.sealer.Seal(&w.sink); err != nil {
		return fmt.Errorf("start pack: %w", err)
	}
	return nil
}

// Fits reports whether n more bytes fit even if the bytes do not compress. A
// chunk of up to 8 MiB always fits an empty pack.
func (w *Writer) Fits(n int) bool {
	rest := len(w.frame) + n
	frames := len(w.lengths) + rest/FrameSize + 1
	// An incompressible frame grows by a header and 3 bytes for each block of 64
	// KiB. A length in the table takes 3 bytes; the sum of the lengths takes 5.
	payload := w.payload + int64(rest) + int64(rest/FrameSize+1)*32 + int64(frames)*3 + 64 + paddedTo + skippableHead
	const headRoom = 4 << 10 // the age header of one recipient of any kind
	return w.plain+int64(n) <= MaxPlain && payload+payload/(64<<10)*16+16+headRoom <= Size
}

// Add appends a chunk and returns the offset of the chunk's first byte. The
// chunk must fit: see Fits.
func (w *Writer) Add(chunk []byte) (offset int64, err error) {
	offset = w.plain
	w.plain += int64(len(chunk))
	for len(chunk) > 0 {
		if len(w.frame) == 0 && len(chunk) >= FrameSize {
			err, chunk = w.flush(chunk[:FrameSize]), chunk[FrameSize:]
		} else {
			n := min(len(chunk), FrameSize-len(w.frame))
			w.frame, chunk = append(w.frame, chunk[:n]...), chunk[n:]
			if len(w.frame) == FrameSize {
				err, w.frame = w.flush(w.frame), w.frame[:0]
			}
		}
		if err != nil {
			return 0, err
		}
	}
	return offset, nil
}

// flush compresses a frame, checks that the frame decompresses, and seals it.
func (w *Writer) flush(frame []byte) error {
	if w.effort == Sampled && !w.shrinks(frame) {
		return w.raw(frame)
	}
	w.packed = w.encoder.EncodeAll(frame, w.packed[:0])
	// Compressors had bugs, and a restore would be too late to find an unreadable frame.
	var err error
	if w.check, err = w.decoder.DecodeAll(w.packed, w.check[:0]); err != nil || !bytes.Equal(w.check, frame) {
		return fmt.Errorf("compress frame %d: the frame decompresses to other bytes (%v) and was not stored",
			len(w.lengths), err)
	}
	w.lengths = append(w.lengths, len(w.packed))
	return w.write(w.packed)
}

// shrinks reports whether 8 KiB from the middle of a frame compress by 2 %.
func (w *Writer) shrinks(frame []byte) bool {
	const sample = 8 << 10
	if from := (len(frame) - sample) / 2; from > 0 {
		frame = frame[from : from+sample]
	}
	w.packed = w.encoder.EncodeAll(frame, w.packed[:0])
	return len(w.packed) < len(frame)-len(frame)/50
}

// raw seals a frame without compression (RFC 8878, section 3.1.1): one segment,
// the size in 4 bytes, no checksum, raw blocks of 128 KiB.
func (w *Writer) raw(frame []byte) error {
	const blockSize = 128 << 10
	head := binary.LittleEndian.AppendUint32([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0}, uint32(len(frame)))
	before := w.payload
	for block := range slices.Chunk(frame, blockSize) {
		frame = frame[len(block):]
		header := uint32(len(block)) << 3
		if len(frame) == 0 {
			header |= 1 // last block
		}
		if err := w.write(append(head, byte(header), byte(header>>8), byte(header>>16))); err != nil {
			return err
		}
		if err := w.write(block); err != nil {
			return err
		}
		head = head[:0]
	}
	w.lengths = append(w.lengths, int(w.payload-before))
	return nil
}

// write seals bytes of the payload.
func (w *Writer) write(p []byte) error {
	w.payload += int64(len(p))
	if _, err := w.sealed.Write(p); err != nil {
		return fmt.Errorf("seal pack: %w", err)
	}
	return nil
}

// Finish completes the pack. The next call is Start.
func (w *Writer) Finish() (Sealed, error) {
	if len(w.frame) > 0 {
		if err := w.flush(w.frame); err != nil {
			return Sealed{}, err
		}
		w.frame = w.frame[:0]
	}
	contents := w.contents()
	if pad := int(-(w.payload + int64(len(contents))) & (paddedTo - 1)); pad > 0 {
		if pad < skippableHead {
			pad += paddedTo
		}
		if err := w.write(skippable(magicPadding, make([]byte, pad-skippableHead))); err != nil {
			return Sealed{}, err
		}
	}
	if err := w.write(contents); err != nil {
		return Sealed{}, err
	}
	if err := w.sealed.Close(); err != nil {
		return Sealed{}, fmt.Errorf("seal pack: %w", err)
	}
	return Sealed{Name: Name(w.sum.Sum(nil)), Bytes: w.sink.buf, Plain: w.plain}, nil
}

// contents returns the skippable frame with the table of contents. The last 4
// bytes hold the frame's length, for readers that start at the end.
func (w *Writer) contents() []byte {
	table := []byte("HFPK\x01")
	table = binary.AppendUvarint(table, FrameSize)
	table = binary.AppendUvarint(table, uint64(w.plain))
	table = binary.AppendUvarint(table, uint64(len(w.lengths)))
	for _, n := range w.lengths {
		table = binary.AppendUvarint(table, uint64(n))
	}
	table = binary.LittleEndian.AppendUint32(table, uint32(skippableHead+len(table)+4))
	return skippable(magicContents, table)
}

// skippable returns a skippable frame (RFC 8878, section 3.1.2).
func skippable(magic uint32, content []byte) []byte {
	out := binary.LittleEndian.AppendUint32(make([]byte, 0, skippableHead+len(content)), magic)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(content)))
	return append(out, content...)
}

// sink hashes sealed bytes and appends the bytes to a buffer of fixed capacity.
type sink struct {
	buf []byte
	sum hash.Hash
}

func (s *sink) Write(p []byte) (int, error) {
	if len(s.buf)+len(p) > cap(s.buf) {
		return 0, errors.New("the pack is larger than the buffer")
	}
	s.buf = append(s.buf, p...)
	s.sum.Write(p)
	return len(p), nil
}
