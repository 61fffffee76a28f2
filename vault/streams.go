package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"holdfast/chunking"
	"holdfast/manifest"
)

// stream is a database file without pages that was stored: a schema, the rows
// of a table. Its extents may be too many for one line, or for memory.
type stream struct {
	file  manifest.File
	needs map[uint32]bool // packs
	more  *os.File        // the extent lines, where there are any
}

// streams stores the streams of a view, a few at once. A full spool ends the
// pass in good order: what is sealed or half filled is stored, and makes the
// next pass shorter.
func (b *backup) streams(ctx context.Context, view View, files []manifest.File, l *listing) error {
	l.streams = make([]*stream, len(files))
	for i, f := range files {
		l.streams[i] = &stream{file: f, needs: map[uint32]bool{}}
	}
	var full atomic.Bool
	g, gctx := errgroup.WithContext(ctx)
	todo := make(chan *stream)
	g.Go(func() error { return feed(gctx, l.streams, todo) })
	for range min(b.cfg.Workers, len(files)) {
		g.Go(func() error {
			fill, err := b.newFiller(manifest.Database)
			if err != nil {
				return err
			}
			for s := range todo {
				if full.Load() {
					continue
				}
				if err := b.stream(gctx, view, s, fill, &full); err != nil {
					return fmt.Errorf("read database %q: %w", s.file.Path, err)
				}
			}
			return unlessFull(fill.end(gctx), &full)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if full.Load() {
		return errSpoolFull
	}
	return nil
}

// stream stores one of them, unless the spool is full.
func (b *backup) stream(ctx context.Context, view View, s *stream, fill *filler, full *atomic.Bool) (err error) {
	r, err := view.OpenDatabase(ctx, s.file.Path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	defer func() {
		// Only the end of a stream tells that it was whole.
		if closeErr := r.Close(); closeErr != nil && err == nil && !full.Load() {
			err = fmt.Errorf("%w: %w", ErrSource, closeErr)
		}
	}()
	whole := sha256.New()
	s.file.Size = 0
	for e, err := range fill.cut(ctx, sourceReader{r}, chunking.Rows, whole) {
		if err != nil {
			return unlessFull(err, full)
		}
		if full.Load() {
			return nil
		}
		b.cfg.Progress.did(0, e.Length)
		if err := s.add(e, b.cfg.State); err != nil {
			return err
		}
	}
	b.cfg.Progress.did(1, 0)
	sum := manifest.Hash(whole.Sum(nil))
	s.file.SHA256 = &sum
	if s.more == nil {
		return nil
	}
	return s.spill(b.cfg.State)
}

// sourceReader makes what goes wrong with a stream the source's fault.
type sourceReader struct{ io.Reader }

func (r sourceReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = sourceError{err}
	}
	return n, err
}

func (s *stream) add(e manifest.Extent, dir string) error {
	s.file.Size += e.Length
	s.needs[e.Pack] = true
	s.file.Extents = join(s.file.Extents, e)
	// One more than a line holds: the last of them may still grow.
	if len(s.file.Extents) <= manifest.MaxExtents {
		return nil
	}
	return s.spill(dir)
}

// spill writes an extent line, and leaves the last extent for the next one
// where another may come.
func (s *stream) spill(dir string) (err error) {
	if s.more == nil {
		if s.more, err = Scratch(dir); err != nil {
			return err
		}
	}
	n := min(len(s.file.Extents), manifest.MaxExtents)
	line, err := manifest.Line{Extents: &manifest.ExtentLine{Part: s.file.Part, Path: s.file.Path, More: s.file.Extents[:n]}}.Append(nil)
	if err != nil {
		return err
	}
	if _, err := s.more.Write(line); err != nil {
		return fmt.Errorf("note extents: %w", err)
	}
	s.file.Lines++
	s.file.Extents = append(s.file.Extents[:0], s.file.Extents[n:]...)
	return nil
}

// copyTo writes the extent lines.
func (s *stream) copyTo(w io.Writer) error {
	if s.more == nil {
		return nil
	}
	if _, err := s.more.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, s.more)
	return err
}

func (s *stream) close() {
	if s.more != nil {
		s.more.Close()
	}
}
