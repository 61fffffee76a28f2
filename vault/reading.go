package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"io/fs"
	"slices"
	"time"

	"holdfast/chunking"
	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// pauses are the waits between the readings of a file that changes meanwhile.
var pauses = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond}

// errMixed means that a file changed during every reading, and is stored nevertheless.
var errMixed = errors.New("the file changed during every reading")

// file stores a file, and returns the hash of the bytes. If the file is at fault, the
// error is a sourceError.
//
// A program may write to the file during the reading. The bytes then mix two states, and
// file reads again. If the last reading's bytes are still there, and other bytes only
// follow, that reading was no mix: a log file only grows. A file that changes during
// every reading is stored as a mix, and the error is errMixed.
func (p *packer) file(ctx context.Context, source FileSource, f manifest.File) (*manifest.Hash, error) {
	if !f.HasContents() {
		return nil, p.noteFile(f, 0)
	}
	size := f.Size
	got, err := p.read(ctx, source, f, nil)
	for try := 0; err == nil && !got.quiet; try++ {
		last := got
		if try == len(pauses) {
			got.file.Mixed = true
			return got.file.SHA256, errors.Join(errMixed, p.noteFile(got.file, size))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pauses[try]):
		}
		if got, err = p.read(ctx, source, f, &last.file); err == nil && !got.quiet && got.begins {
			got = last
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return got.file.SHA256, p.noteFile(got.file, size)
}

// reading is the result of reading a file once.
type reading struct {
	file   manifest.File // the line, with all bytes stored
	quiet  bool          // nothing changed the file during the reading
	begins bool          // the bytes begin with all bytes of the reading before
}

// read stores the bytes that a file has now. last is the reading before, or nil.
//
// A file below chunking.Whole is a single chunk; the chunks of a larger file
// end at fixed places. A chunk's ID is the hash of the file up to the chunk's
// end: each byte is hashed once, and files with equal beginnings share chunks.
func (p *packer) read(ctx context.Context, source FileSource, f manifest.File, last *manifest.File) (
	r reading, err error) {
	opened, err := source.Open(ctx, f.Part, f.TruePath())
	if err != nil {
		return r, &sourceError{err}
	}
	defer opened.Close()
	if p.in == nil {
		p.in = make([]byte, chunking.Whole)
	}
	before, err := attributes(opened)
	if err != nil {
		return r, &sourceError{err}
	}
	if before != nil {
		f.Modified = stamp(before.ModTime())
	}
	if err := setRights(&f, opened); err != nil {
		return r, &sourceError{err}
	}
	f.Size, f.Extents = 0, nil
	sum, beginning := sha256.New(), newBeginning(last)
	in := io.TeeReader(opened, beginning)
	for more := true; more; {
		n, err := io.ReadFull(in, p.in)
		if more = err == nil; !more && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return r, &sourceError{err}
		}
		piece := chunking.Piece
		if f.Size == 0 && !more {
			piece = chunking.Whole
		}
		for chunk := range slices.Chunk(p.in[:n], piece) {
			sum.Write(chunk)
			id := manifest.Hash(sum.Sum(nil))
			e, known, err := p.lookUp(id, len(chunk))
			if err == nil && !known {
				if e, err = p.add(ctx, chunk); err == nil {
					p.note(id, e)
				}
			}
			if err != nil {
				return r, err
			}
			f.Size += e.Length
			f.Extents = appendExtent(f.Extents, e)
		}
	}
	whole := manifest.Hash(sum.Sum(nil))
	f.SHA256 = &whole
	after, err := attributes(opened)
	if err != nil {
		return r, &sourceError{err}
	}
	r.quiet, f.Changed = compare(before, after, f.Changed)
	r.file, r.begins = f, beginning.equals(last)
	return r, nil
}

// stamp returns a time in UTC, for a listing. A broken clock may give a time
// beyond JSON or 64 bits of nanoseconds: stamp returns 1970 instead.
func stamp(t time.Time) time.Time {
	if year := t.Year(); year < 1700 || year > 2200 {
		return time.Unix(0, 0).UTC()
	}
	return t.UTC()
}

// attributes describes an open file. A file that is not on a disk has no attributes.
func attributes(opened io.Reader) (fs.FileInfo, error) {
	if onDisk, ok := opened.(interface{ Stat() (fs.FileInfo, error) }); ok {
		return onDisk.Stat()
	}
	return nil, nil
}

// setRights sets the mode and user of a line to those of the open file, if the reader
// knows them. A restore then gives the bytes to nobody who could not read the bytes.
func setRights(f *manifest.File, opened io.Reader) (err error) {
	if of, ok := opened.(interface {
		Rights() (manifest.Mode, string, error)
	}); ok {
		f.Mode, f.User, err = of.Rights()
	}
	return err
}

// tick is longer than a step of the kernel's clock for files. A file that changes
// twice within a step keeps its ctime. A disk without nanoseconds has steps of up to
// two seconds.
const tick, coarseTick = 20 * time.Millisecond, 2 * time.Second

// compare compares the attributes before and after a reading. quiet means that nothing
// changed the file meanwhile. changed is for the index. listed is the ctime of a file
// without attributes.
func compare(before, after fs.FileInfo, listed time.Time) (quiet bool, changed time.Time) {
	if before == nil || after == nil {
		return true, listed
	}
	changed = disk.Changed(after)
	quiet = before.Size() == after.Size() && before.ModTime().Equal(after.ModTime()) &&
		disk.Changed(before).Equal(changed)
	step := tick
	if changed.Nanosecond() == 0 {
		step = coarseTick
	}
	if !quiet || time.Since(changed) < step {
		return quiet, index.Unsettled
	}
	return quiet, changed
}

// beginning hashes as many bytes as the reading before had.
type beginning struct {
	sum  hash.Hash
	left int64
}

func newBeginning(last *manifest.File) *beginning {
	if last == nil {
		return &beginning{}
	}
	return &beginning{sha256.New(), last.Size}
}

func (b *beginning) Write(data []byte) (int, error) {
	if n := min(int64(len(data)), b.left); n > 0 {
		b.sum.Write(data[:n])
		b.left -= n
	}
	return len(data), nil
}

// equals reports whether the bytes are those of the reading before.
func (b *beginning) equals(last *manifest.File) bool {
	return last != nil && b.left == 0 && manifest.Hash(b.sum.Sum(nil)) == *last.SHA256
}

// noteFile notes a file whose bytes are stored. The row goes to the index with the
// pack that holds the last of the bytes. size is for the progress.
func (p *packer) noteFile(f manifest.File, size int64) error {
	p.ship.progress.did(1, size)
	p.contents.Files = append(p.contents.Files, f)
	if p.buf != nil || len(p.contents.Files) < 1000 {
		return nil
	}
	files := p.contents.Files
	p.contents.Files = nil
	return p.ship.idx.PutFiles(files)
}
