package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/chunking"
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// listedFile is a file with the description, or the error, of the source.
type listedFile struct {
	manifest.File
	err error
}

// files stores the files part.
func (b *backup) files(ctx context.Context) error {
	b.cfg.Progress.begin("files", 0, 0)
	all, bytes, err := b.listFiles(ctx)
	if err != nil {
		return err
	}
	b.cfg.Progress.begin("files", int64(len(all)), bytes)
	lost, err := b.saveFiles(ctx, manifest.Files, func(yield func(listedFile, error) bool) {
		for _, f := range all {
			if !yield(f, nil) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(lost)) {
		b.found.gone[path] = true
		b.report.Missing = append(b.report.Missing, describeLost("/"+path, lost[path]))
	}
	return nil
}

// listFiles returns the files part in path order, with the sum of the sizes, and
// notes the paths. Files that no listing can hold go to the report.
func (b *backup) listFiles(ctx context.Context) (all []listedFile, bytes int64, err error) {
	b.found.files = nil
	for f, err := range b.cfg.Files.Files(ctx) {
		switch {
		case err != nil && (f.Path == "" || ctx.Err() != nil):
			return nil, 0, fmt.Errorf("list files: %w: %w", ErrSource, err)
		case errors.Is(err, errors.ErrUnsupported):
			b.report.LeftOut = append(b.report.LeftOut, err.Error())
			continue
		case !manifest.ValidPath(f.Path):
			b.report.Missing = append(b.report.Missing, fmt.Sprintf("%q (%v)", "/"+f.Path, err))
			continue
		}
		f.Part, f.Modified = manifest.Files, stamp(f.Modified)
		b.found.files = append(b.found.files, f.Path)
		all = append(all, listedFile{f, err})
		bytes += f.Size
	}
	return all, bytes, nil
}

// media stores the media files of the view's rows. A file that can't be read
// does not keep the other files from being saved.
func (b *backup) media(ctx context.Context) error {
	b.cfg.Progress.begin("media", b.found.mediaN, 0)
	lost, err := b.saveFiles(ctx, manifest.Media, func(yield func(listedFile, error) bool) {
		for path, err := range b.found.paths(manifest.Media) {
			f := listedFile{File: manifest.File{Path: path}}
			if err == nil {
				f.File, f.err = b.cfg.Files.Stat(ctx, manifest.Media, path)
				f.Part, f.Path, f.Modified = manifest.Media, path, stamp(f.Modified)
			}
			if !yield(f, err) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	b.report.Missing = append(b.report.Missing, b.found.invalid...)
	if len(lost) == 0 {
		return nil
	}
	// The row of a file deleted since the view is gone by now. The file is not
	// missing.
	paths := slices.Sorted(maps.Keys(lost))
	named, err := b.cfg.Database.Named(ctx, paths)
	if err != nil {
		return fmt.Errorf("look up media: %w: %w", ErrSource, err)
	}
	for _, path := range paths {
		b.found.gone[path] = named[path]
		if named[path] {
			b.report.Missing = append(b.report.Missing, describeLost(path, lost[path]))
		}
	}
	return nil
}

// describeLost names an unsaved file. The reason follows, unless the file does
// not exist.
func describeLost(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return path
	}
	return fmt.Sprintf("%s (%v)", path, err)
}

// stamp returns a time in UTC, for a listing. A broken clock may give a time
// beyond JSON or 64 bits of nanoseconds: stamp returns 1970 instead.
func stamp(t time.Time) time.Time {
	if year := t.Year(); year < 1700 || year > 2200 {
		return time.Unix(0, 0).UTC()
	}
	return t.UTC()
}

// saveFiles stores the files that changed since the index last saw them. files
// is sorted by path. lost has the error of each unreadable file, by path.
func (b *backup) saveFiles(ctx context.Context, part manifest.Part, files iter.Seq2[listedFile, error]) (
	lost map[string]error, err error) {
	next, stop := iter.Pull2(join(files, b.idx.Files(part), func(f listedFile, row index.File) int {
		return strings.Compare(f.Path, row.Path)
	}))
	defer stop()
	queue := &fileQueue{b: b, part: part, pull: next, lost: map[string]error{}}
	g, gctx := errgroup.WithContext(ctx)
	for range b.cfg.Workers {
		g.Go(func() error {
			p, err := newPacker(b.ship, part)
			if err != nil {
				return err
			}
			for {
				f, err := queue.next(gctx)
				if err != nil {
					return err
				}
				if f == nil {
					return p.close(gctx)
				}
				if err := queue.done(gctx, f, p.file(gctx, b.cfg.Files, f)); err != nil {
					return err
				}
			}
		})
	}
	err = g.Wait()
	return queue.lost, err
}

// fileQueue gives the changed files of a part to the workers.
type fileQueue struct {
	b    *backup
	part manifest.Part

	mu   sync.Mutex // guards what follows
	pull func() (joined[listedFile, index.File], error, bool)
	lost map[string]error // why a file could not be read, by path
}

// next returns the next changed file, or nil at the end.
func (q *fileQueue) next(ctx context.Context) (*manifest.File, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ctx.Err() == nil {
		pair, err, more := q.pull()
		f := pair.a.File
		switch {
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", q.part, err)
		case !more:
			return nil, nil
		case !pair.inA:
			// The file was deleted.
		case pair.a.err != nil:
			if err := q.lose(ctx, f.Path, pair.a.err); err != nil {
				return nil, err
			}
		case pair.inB && same(pair.b, f):
			q.b.cfg.Progress.did(1, f.Size)
		default:
			return &f, nil
		}
	}
	return nil, ctx.Err()
}

// done takes the result of reading a file. done notes an error of the file
// alone, and returns nil.
func (q *fileQueue) done(ctx context.Context, f *manifest.File, err error) error {
	var source *sourceError
	switch {
	case err == nil:
		q.b.read.Add(1)
		q.b.readBytes.Add(f.Size)
		return nil
	case errors.As(err, &source) && ctx.Err() == nil:
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.lose(ctx, f.Path, source.cause)
	}
	return err
}

// lose notes why a file could not be read, unless no media can be read at all.
// The caller holds mu.
func (q *fileQueue) lose(ctx context.Context, path string, cause error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if q.part == manifest.Media && !errors.Is(cause, fs.ErrNotExist) {
		if err := q.b.cfg.Files.Reachable(ctx); err != nil {
			return fmt.Errorf("read media: %w: %w", ErrSource, err)
		}
	}
	q.lost[path] = cause
	return nil
}

// same reports whether a file is unchanged since it was last read.
func same(row index.File, f manifest.File) bool {
	if row.Size != f.Size || row.Modified != f.Modified.UnixNano() || row.Mode != uint32(f.Mode) {
		return false
	}
	if f.Part == manifest.Media && f.ETag == "" {
		return true
	}
	told := row.Parse()
	return told.User == f.User && told.ETag == f.ETag && told.Link == f.Link
}

// file stores a file. If the file is at fault, the error is a sourceError.
//
// A file below chunking.Whole is a single chunk; the chunks of a larger file
// end at fixed places. A chunk's ID is the hash of the file up to the chunk's
// end: each byte is hashed once, and files with equal beginnings share chunks.
func (p *packer) file(ctx context.Context, source FileSource, f *manifest.File) error {
	stored := *f
	if f.Link != "" { // a link has no bytes
		return p.noteFile(stored, 0)
	}
	opened, err := source.Open(ctx, f.Part, f.Path)
	if err != nil {
		return &sourceError{err}
	}
	defer opened.Close()
	if p.in == nil {
		p.in = make([]byte, chunking.Whole)
	}
	stored.Size, stored.Extents = 0, nil
	sum := sha256.New()
	for more := true; more; {
		n, err := io.ReadFull(opened, p.in)
		if more = err == nil; !more && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return &sourceError{err}
		}
		piece := chunking.Piece
		if stored.Size == 0 && !more {
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
				return err
			}
			stored.Size += e.Length
			stored.Extents = appendExtent(stored.Extents, e)
		}
	}
	whole := manifest.Hash(sum.Sum(nil))
	stored.SHA256 = &whole
	return p.noteFile(stored, f.Size)
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
