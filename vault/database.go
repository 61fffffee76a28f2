package vault

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"holdfast/chunking"
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// database reads the database in one transaction and notes the media of its
// rows. A full spool ends the transaction early: then whole is false, and the
// caller repeats the call. Packs of earlier transactions make the next
// transaction shorter.
//
// The database comes before the media: by then the file of every row is
// complete. Between Begin and Close nothing waits for the network.
func (b *backup) database(ctx context.Context) (whole bool, err error) {
	if b.report.Passes++; b.report.Passes > 1 {
		b.cfg.Progress.begin("drain spool", 0, 0)
		if err := b.ship.drain(ctx); err != nil {
			return false, err
		}
	}
	view, err := b.cfg.Database.Begin(ctx)
	if err != nil {
		return false, fmt.Errorf("begin view: %w: %w", ErrSource, err)
	}
	full := b.ship.hold()
	defer func() {
		b.ship.release()
		if closeErr := view.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("end view: %w: %w", ErrSource, closeErr)
		}
		if whole && err == nil {
			b.noteFacts(ctx, view)
		}
	}()
	known, err := b.packs()
	if err != nil {
		return false, err
	}
	defer b.found.closeReaders()
	if err := b.openDatabase(ctx, view); err != nil {
		return false, err
	}
	var taken atomic.Int64 // streams
	g, gctx := errgroup.WithContext(ctx)
	for range b.cfg.Workers {
		g.Go(func() error {
			p, err := newPacker(b.ship, manifest.Database)
			if err != nil {
				return err
			}
			for _, f := range b.found.paged {
				if err := p.pages(gctx, f, known, full); err != nil {
					return err
				}
			}
			p.contents.Path, p.contents.PageSize = "", 0
			for i := taken.Add(1); i <= int64(len(b.found.streams)) && !closed(full); i = taken.Add(1) {
				s := b.found.streams[i-1]
				r, err := view.OpenDatabase(gctx, s.file.Path)
				if err != nil {
					return fmt.Errorf("read database %q: %w: %w", s.file.Path, ErrSource, err)
				}
				if err := p.stream(gctx, sourceReader{r}, chunking.Rows, s, full); err != nil {
					return fmt.Errorf("read database %q: %w", s.file.Path, err)
				}
				b.cfg.Progress.did(1, 0)
			}
			return p.close(gctx)
		})
	}
	if err := g.Wait(); err != nil || closed(full) {
		return false, err
	}
	return true, b.found.noteMedia(view.Media(ctx))
}

// noteFacts notes what a closed view knows.
func (b *backup) noteFacts(ctx context.Context, view View) {
	facts, moment := view.Facts(ctx)
	b.rec.Facts, b.rec.Time = facts, recorded(moment)
	if partial, ok := view.(Partial); ok {
		b.report.LeftOut = append(b.report.LeftOut, partial.LeftOut()...)
		b.report.Refused = partial.Refused()
	}
}

// openDatabase lists the files of the database and opens the files of pages.
func (b *backup) openDatabase(ctx context.Context, view View) error {
	b.found.reset()
	files := view.Database()
	var total int64
	for _, f := range files {
		total += f.Size
	}
	b.cfg.Progress.begin("database", int64(len(files)), total)
	for _, f := range files {
		f.Part = manifest.Database
		if f.PageSize == 0 {
			f.Size = 0
			b.found.streams = append(b.found.streams, &stream{file: f, packs: map[uint32]bool{}, dir: b.cfg.State})
			continue
		}
		f.Modified = stamp(f.Modified)
		paged, err := openPages(ctx, view, f, b.idx)
		if err != nil {
			return err
		}
		b.found.paged = append(b.found.paged, paged)
	}
	return nil
}

// packs returns the packs that a listing may name, by number.
func (b *backup) packs() (map[uint32]index.Pack, error) {
	all, err := b.idx.Packs()
	if err != nil {
		return nil, err
	}
	known := make(map[uint32]index.Pack, len(all))
	for _, p := range all {
		known[p.Number] = p
	}
	return known, nil
}
