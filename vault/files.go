package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/chunking"
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// media stores those media files that the view's rows name and the index does
// not know at their path, size and time. A file that can't be read does not keep
// the others from being saved.
func (b *backup) media(ctx context.Context, l *listing) error {
	b.cfg.Progress.begin("media", l.mediaN, 0)
	stat := func(yield func(manifest.File, error) bool) {
		for path, err := range l.paths(manifest.Media) {
			f := manifest.File{Part: manifest.Media, Path: path}
			if err == nil {
				if f, err = b.statMedia(ctx, path); err != nil {
					err = unreadable{err}
				}
			}
			if !yield(f, err) {
				return
			}
		}
	}
	lost, err := b.changed(ctx, manifest.Media, stat)
	if err != nil {
		return err
	}
	b.report.Missing = append(b.report.Missing, l.invalid...)
	if len(lost) == 0 {
		return nil
	}
	// A file may be deleted between the view and its turn: then its row is gone
	// too, and nothing is missing.
	paths := slices.Sorted(maps.Keys(lost))
	named, err := b.cfg.Database.Named(ctx, paths)
	if err != nil {
		return fmt.Errorf("look up media: %w: %w", ErrSource, err)
	}
	for _, path := range paths {
		l.gone[path] = named[path]
		if named[path] {
			b.report.Missing = append(b.report.Missing, describe(path, lost[path]))
		}
	}
	return nil
}

// unreadable is why one file can't be saved.
type unreadable struct{ error }

// describe names a file that could not be saved, and why, unless it is not there.
func describe(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return path
	}
	return fmt.Sprintf("%s (%v)", path, err)
}

func (b *backup) statMedia(ctx context.Context, path string) (manifest.File, error) {
	f, err := b.src.Stat(ctx, manifest.Media, path)
	f.Part, f.Path, f.Modified = manifest.Media, path, stamp(f.Modified)
	return f, err
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
	all, bytes, err := b.listFiles(ctx, l)
	if err != nil {
		return err
	}
	b.cfg.Progress.begin("files", int64(len(all)), bytes)
	lost, err := b.changed(ctx, manifest.Files, func(yield func(manifest.File, error) bool) {
		for _, f := range all {
			if !yield(f.File, f.err) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(lost)) {
		l.gone[path] = true
		b.report.Missing = append(b.report.Missing, describe("/"+path, lost[path]))
	}
	return nil
}

// listed is a file of the files part, or why it can't be read.
type listed struct {
	manifest.File
	err error
}

// listFiles notes the wanted paths of the files part, and returns the files in
// path order with their bytes together. Of a file that the listing has no place
// for, the report speaks.
func (b *backup) listFiles(ctx context.Context, l *listing) (all []listed, bytes int64, err error) {
	l.files = nil
	for f, err := range b.src.Files(ctx) {
		switch {
		case err != nil && (f.Path == "" || ctx.Err() != nil):
			return nil, 0, fmt.Errorf("list files: %w: %w", ErrSource, err)
		case errors.Is(err, errors.ErrUnsupported):
			b.report.LeftOut = append(b.report.LeftOut, err.Error())
			continue
		case !manifest.ValidPath(f.Path):
			b.report.Missing = append(b.report.Missing, fmt.Sprintf("%q (%v)", "/"+f.Path, err))
			continue
		case err != nil:
			err = unreadable{err}
		}
		f.Part, f.Modified = manifest.Files, stamp(f.Modified)
		l.files = append(l.files, f.Path)
		all = append(all, listed{f, err})
		bytes += f.Size
	}
	return all, bytes, nil
}

// changed reads the files that the index does not know as they are, with
// several workers, and returns those that could not be read, and why. files must
// be in path order: the index is read along.
func (b *backup) changed(ctx context.Context, part manifest.Part, files iter.Seq2[manifest.File, error]) (map[string]error, error) {
	g, gctx := errgroup.WithContext(ctx)
	todo := make(chan manifest.File)
	lost := make([]map[string]error, b.cfg.Workers+1) // by worker; the last is the lister's
	for i := range lost {
		lost[i] = map[string]error{}
	}
	for i := range b.cfg.Workers {
		g.Go(func() error { return b.readFiles(gctx, part, todo, lost[i]) })
	}
	g.Go(func() error {
		defer close(todo)
		next, stop := iter.Pull2(b.idx.Files(part))
		defer stop()
		row, err, more := next()
		for f, fileErr := range files {
			var bad unreadable
			if errors.As(fileErr, &bad) && gctx.Err() == nil {
				if err := b.reachable(gctx, part, bad.error); err != nil {
					return err
				}
				lost[b.cfg.Workers][f.Path] = bad.error
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
	for _, more := range lost[1:] {
		maps.Copy(lost[0], more)
	}
	return lost[0], nil
}

// reachable tells, of a file that could not be read, whether the next one can.
func (b *backup) reachable(ctx context.Context, part manifest.Part, cause error) error {
	if part != manifest.Media || errors.Is(cause, fs.ErrNotExist) {
		return nil
	}
	if err := b.src.Reachable(ctx); err != nil {
		return fmt.Errorf("read media: %w: %w", ErrSource, err)
	}
	return nil
}

// same reports whether a file is as it was when it was last read.
func same(row index.File, f manifest.File) bool {
	if row.Size != f.Size || row.Modified != f.Modified.UnixNano() || row.Mode != uint32(f.Mode) {
		return false
	}
	if f.Part == manifest.Media && f.ETag == "" {
		return true
	}
	told := row.Told()
	return told.Owner == f.Owner && told.ETag == f.ETag && told.Link == f.Link
}

// readFiles is a worker: it opens, reads, hashes and seals its own files with
// one buffer.
func (b *backup) readFiles(ctx context.Context, part manifest.Part, todo <-chan manifest.File, lost map[string]error) error {
	fill, err := b.newFiller(part)
	if err != nil {
		return err
	}
	var buf []byte
	for f := range todo {
		if buf == nil {
			buf = make([]byte, chunking.Whole)
		}
		err := b.readFile(ctx, fill, f, buf)
		if errors.Is(err, ErrSource) && ctx.Err() == nil {
			cause := errors.Unwrap(err)
			if err := b.reachable(ctx, part, cause); err != nil {
				return err
			}
			lost[f.Path] = cause
			continue
		}
		if err != nil {
			return err
		}
		b.read.Add(1)
		b.readBytes.Add(f.Size)
	}
	return fill.end(ctx)
}

// readFile stores one file. Where the file is to blame, the error is a
// sourceError.
func (b *backup) readFile(ctx context.Context, fill *filler, f manifest.File, buf []byte) error {
	if f.Link != "" { // its text is all there is of it
		return fill.line(ctx, f, 0)
	}
	r, err := b.src.Open(ctx, f.Part, f.Path)
	if err != nil {
		return sourceError{err}
	}
	defer r.Close()
	return fill.file(ctx, f, r, buf)
}

// sourceError is an [ErrSource] that unwraps to its cause.
type sourceError struct{ error }

func (e sourceError) Is(target error) bool { return target == ErrSource }
func (e sourceError) Unwrap() error        { return e.error }
