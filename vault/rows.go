package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"holdfast/chunking"
	"holdfast/disk"
	"holdfast/manifest"
)

// stream is a file whose content decides the ends of its chunks: the listing,
// or a database file without pages, such as a schema or the rows of a table.
type stream struct {
	file  manifest.File   // Size, SHA256, Extents and Lines are filled as bytes are stored
	packs map[uint32]bool // that hold the bytes
	dir   string          // for extents beyond manifest.MaxExtents; "": keep all in memory
	lines *os.File        // extent lines, if any
}

// stream stores the bytes of r in chunks, except for known chunks, and fills
// to. A first goroutine reads, cuts and hashes; a second looks chunks up,
// compresses and seals. After stop is closed, stream returns early without an
// error, and to is incomplete. stream closes r: only a nil error of Close shows
// that the bytes were whole.
func (p *packer) stream(ctx context.Context, r io.ReadCloser, sizes chunking.Sizes, to *stream,
	stop <-chan struct{}) error {
	sum := sha256.New()
	cutter, err := chunking.NewCutter(io.TeeReader(r, sum), p.ship.host.Polynomial, sizes)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	batches, free := make(chan *batch, cutAhead), make(chan *batch, cutAhead)
	for range cutAhead {
		free <- new(batch)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return cut(gctx, cutter, sizes.Max, free, batches, stop) })
	g.Go(func() error {
		in := chunks{batches: batches, free: free}
		for {
			chunk, id, more := in.next()
			if !more || closed(stop) {
				return nil
			}
			e, known, err := p.lookUp(id, len(chunk))
			if err == nil && !known {
				if e, err = p.add(gctx, chunk); err == nil {
					p.note(id, e)
				}
			}
			if err == nil {
				err = to.add(e)
			}
			if err != nil {
				return err
			}
			p.ship.progress.did(0, e.Length)
		}
	})
	err = g.Wait()
	// Close of an unfinished stream may return an error.
	if closeErr := r.Close(); err == nil && !closed(stop) {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return to.end(manifest.Hash(sum.Sum(nil)))
}

// closed reports whether a channel is closed. A nil channel is open.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// add notes the extent of the next bytes.
func (s *stream) add(e manifest.Extent) error {
	s.file.Size += e.Length
	s.packs[e.Pack] = true
	s.file.Extents = appendExtent(s.file.Extents, e)
	// The last extent may still grow: keep one more than a line holds.
	if s.dir == "" || len(s.file.Extents) <= manifest.MaxExtents {
		return nil
	}
	return s.spill()
}

// end notes the sum of all bytes.
func (s *stream) end(sum manifest.Hash) error {
	s.file.SHA256 = &sum
	if s.lines == nil {
		return nil
	}
	return s.spill()
}

// spill moves extents to the file of extent lines, as many as a line holds.
func (s *stream) spill() (err error) {
	if s.lines == nil {
		if s.lines, err = disk.Scratch(s.dir); err != nil {
			return err
		}
	}
	n := min(len(s.file.Extents), manifest.MaxExtents)
	extents := &manifest.ExtentLine{Part: s.file.Part, Path: s.file.Path, More: s.file.Extents[:n]}
	line, err := manifest.Line{Extents: extents}.Append(nil)
	if err != nil {
		return err
	}
	if _, err := s.lines.Write(line); err != nil {
		return fmt.Errorf("note extents: %w", err)
	}
	s.file.Lines++
	s.file.Extents = append(s.file.Extents[:0], s.file.Extents[n:]...)
	return nil
}

// copyLines writes the extent lines to w.
func (s *stream) copyLines(w io.Writer) error {
	if s.lines == nil {
		return nil
	}
	if _, err := s.lines.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, s.lines)
	return err
}

func (s *stream) close() {
	if s.lines != nil {
		s.lines.Close()
	}
}

// sourceReader reads from the instance: its errors are the source's errors.
type sourceReader struct{ io.ReadCloser }

func (r sourceReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &sourceError{err}
	}
	return n, err
}

func (r sourceReader) Close() error {
	if err := r.ReadCloser.Close(); err != nil {
		return &sourceError{err}
	}
	return nil
}

// sourceError is an [ErrSource]. Unwrap returns the cause.
type sourceError struct{ cause error }

func (e *sourceError) Error() string        { return e.cause.Error() }
func (e *sourceError) Is(target error) bool { return target == ErrSource }
func (e *sourceError) Unwrap() error        { return e.cause }
