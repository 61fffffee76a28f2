package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/chunking"
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// media stores those media files that the view's rows name and the index does
// not know at their path, size and time.
func (b *backup) media(ctx context.Context, l *listing) error {
	b.cfg.Progress.begin("media", l.mediaN, 0)
	stat := func(yield func(manifest.File, error) bool) {
		for path, err := range l.paths(manifest.Media) {
			f := manifest.File{Part: manifest.Media, Path: path}
			if err == nil {
				f, err = b.statMedia(ctx, path)
			}
			if !yield(f, err) {
				return
			}
		}
	}
	gone, err := b.changed(ctx, manifest.Media, stat)
	if err != nil || len(gone) == 0 {
		return err
	}
	// A file may be deleted between the view and its turn: then its row is gone
	// too, and nothing is missing.
	named, err := b.src.Named(ctx, gone)
	if err != nil {
		return fmt.Errorf("look up media: %w: %w", ErrSource, err)
	}
	slices.Sort(gone)
	for _, path := range gone {
		l.gone[path] = named[path]
		if named[path] {
			b.report.Missing = append(b.report.Missing, path)
		}
	}
	return nil
}

func (b *backup) statMedia(ctx context.Context, path string) (manifest.File, error) {
	f := manifest.File{Part: manifest.Media, Path: path}
	if !manifest.ValidPath(path) {
		return f, fs.ErrNotExist // no file that we could restore is there
	}
	info, err := b.src.Stat(ctx, manifest.Media, path)
	if err != nil {
		return f, err
	}
	if !info.Mode().IsRegular() {
		return f, fs.ErrNotExist
	}
	f.Size, f.Mode, f.Modified = info.Size(), manifest.Mode(info.Mode().Perm()), stamp(info.ModTime())
	return f, nil
}

// stamp is a file's time as the listing can hold it: in UTC, and 1970 where a
// broken clock left a year that neither JSON nor nanoseconds know.
func stamp(t time.Time) time.Time {
	if year := t.Year(); year < 1700 || year > 2200 {
		return time.Unix(0, 0).UTC()
	}
	return t.UTC()
}

// files stores the files part.
func (b *backup) files(ctx context.Context, l *listing) error {
	b.cfg.Progress.begin("files", 0, 0)
	l.files = nil
	var broken error
	list := func(yield func(manifest.File, error) bool) {
		for f, err := range b.src.Files(ctx) {
			if err != nil {
				broken = err
				return
			}
			f.Part, f.Modified = manifest.Files, stamp(f.Modified)
			l.files = append(l.files, f.Path)
			if !yield(f, nil) {
				return
			}
		}
	}
	gone, err := b.changed(ctx, manifest.Files, list)
	if err != nil {
		return err
	}
	if broken != nil {
		return fmt.Errorf("list files: %w: %w", ErrSource, broken)
	}
	for _, path := range gone {
		l.gone[path] = true
		b.report.Missing = append(b.report.Missing, "/"+path)
	}
	return nil
}

// changed reads the files that the index does not know as they are, with
// several workers, and returns the paths where there was none. files must be in
// path order: the index is read along.
func (b *backup) changed(ctx context.Context, part manifest.Part, files iter.Seq2[manifest.File, error]) (gone []string, err error) {
	g, gctx := errgroup.WithContext(ctx)
	todo := make(chan manifest.File)
	lost := make([][]string, b.cfg.Workers)
	for i := range b.cfg.Workers {
		g.Go(func() error { return b.readFiles(gctx, part, todo, &lost[i]) })
	}
	g.Go(func() error {
		defer close(todo)
		next, stop := iter.Pull2(b.idx.Files(part))
		defer stop()
		row, err, more := next()
		for f, fileErr := range files {
			if errors.Is(fileErr, fs.ErrNotExist) {
				gone = append(gone, f.Path)
				continue
			}
			if fileErr != nil {
				return fmt.Errorf("read %s %q: %w: %w", part, f.Path, ErrSource, fileErr)
			}
			for more && err == nil && row.Path < f.Path {
				row, err, more = next()
			}
			if err != nil {
				return err
			}
			if more && row.Path == f.Path && same(row, f) {
				b.cfg.Progress.did(1, f.Size)
				continue
			}
			select {
			case todo <- f:
			case <-gctx.Done():
				return gctx.Err()
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return append(gone, slices.Concat(lost...)...), nil
}

// same reports whether a file is as it was when it was last read.
func same(row index.File, f manifest.File) bool {
	return row.Size == f.Size && row.Modified == f.Modified.UnixNano() && row.Mode == uint32(f.Mode) &&
		(f.Owner == "" || row.Owner() == f.Owner)
}

// readFiles is a worker: it opens, reads, hashes and seals its own files with
// one buffer.
func (b *backup) readFiles(ctx context.Context, part manifest.Part, todo <-chan manifest.File, gone *[]string) error {
	fill, err := b.newFiller(part)
	if err != nil {
		return err
	}
	var buf []byte
	for f := range todo {
		r, err := b.src.Open(ctx, part, f.Path)
		if errors.Is(err, fs.ErrNotExist) {
			*gone = append(*gone, f.Path)
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s %q: %w: %w", part, f.Path, ErrSource, err)
		}
		if buf == nil {
			buf = make([]byte, chunking.Whole)
		}
		err = fill.file(ctx, f, r, buf)
		r.Close()
		if err != nil {
			return err
		}
		b.read.Add(1)
		b.readBytes.Add(f.Size)
	}
	return fill.end(ctx)
}
