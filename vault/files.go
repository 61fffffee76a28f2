package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

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
		for i, f := range all {
			all[i] = nil // for the garbage collector
			if !yield(*f, nil) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(lost)) {
		b.found.unread[path] = true
		b.report.Missing = append(b.report.Missing, describeLost(describe(manifest.Files, path), lost[path]))
	}
	return nil
}

// listFiles returns the files part in path order, with the sum of the sizes, and
// notes the paths. Files that no listing can hold go to the report.
func (b *backup) listFiles(ctx context.Context) (all []*listedFile, bytes int64, err error) {
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
		if f.Part = manifest.Files; !f.Folder {
			f.Modified = stamp(f.Modified)
		}
		b.found.files = append(b.found.files, f.Path)
		all = append(all, &listedFile{f, err})
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
		b.found.unread[path] = named[path]
		if named[path] {
			b.report.Missing = append(b.report.Missing, describeLost(path, lost[path]))
		}
	}
	return nil
}

// describe names a file as the instance does.
func describe(part manifest.Part, path string) string {
	if part == manifest.Files {
		return "/" + path
	}
	return path
}

// describeLost names an unsaved file. The reason follows, unless the file does
// not exist.
func describeLost(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return path
	}
	return fmt.Sprintf("%s (%v)", path, err)
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
				sum, err := p.file(gctx, b.cfg.Files, f.File)
				if err := queue.done(gctx, f, sum, err); err != nil {
					return err
				}
			}
		})
	}
	err = g.Wait()
	slices.Sort(b.report.Mixed)
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

// changedFile is a file that a backup reads, although the index may know the file.
type changedFile struct {
	manifest.File
	before *manifest.Hash // of the bytes at the last backup, if known
}

// next returns the next changed file, or nil at the end.
func (q *fileQueue) next(ctx context.Context) (*changedFile, error) {
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
		case pair.inB:
			return &changedFile{f, pair.b.Parse().SHA256}, nil
		default:
			return &changedFile{File: f}, nil
		}
	}
	return nil, ctx.Err()
}

// done takes the result of reading a file: the hash of the bytes, or an error. done
// notes an error of the file alone, and returns nil.
func (q *fileQueue) done(ctx context.Context, f *changedFile, sum *manifest.Hash, err error) error {
	var source *sourceError
	switch {
	case err == nil && f.Folder:
		return nil
	case err == nil || errors.Is(err, errMixed):
		q.b.read.Add(1)
		q.b.readBytes.Add(f.Size)
		q.mu.Lock()
		defer q.mu.Unlock()
		if err != nil {
			q.b.report.Mixed = append(q.b.report.Mixed, describe(q.part, f.Path))
		}
		if sum != nil && f.before != nil && *sum == *f.before {
			q.b.report.SameFiles++
		}
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
	if row.Size != f.Size || row.Modified != index.Nanoseconds(f.Modified) || row.Mode != uint32(f.Mode) {
		return false
	}
	// A link and a folder have no bytes. The ETag tells of each change of an object.
	if f.ETag == "" && f.HasContents() && row.Changed != index.Nanoseconds(f.Changed) {
		return false
	}
	if f.Part == manifest.Media && f.ETag == "" {
		return true
	}
	told := row.Parse()
	return told.User == f.User && told.ETag == f.ETag && told.Link == f.Link && told.Folder == f.Folder &&
		told.Holdfast == f.Holdfast
}
