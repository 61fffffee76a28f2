package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"holdfast/manifest"
	"holdfast/manifest/index"
)

// database stores the database part and notes which media its rows name. The
// database goes before the media: a file that a row names is complete by then.
//
// The transaction never waits for the network. When the spool is full it ends,
// the spool drains, and another pass starts; what earlier passes stored makes
// it short. Only a pass that went through is recorded.
func (b *backup) database(ctx context.Context, rec *manifest.Record, l *listing) error {
	for {
		b.report.Passes++
		err := b.pass(ctx, rec, l)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errSpoolFull) {
			return err
		}
		b.cfg.Progress.begin("drain spool", 0, 0)
		if err := b.ship.drain(ctx); err != nil {
			return err
		}
	}
}

// pass is one transaction.
func (b *backup) pass(ctx context.Context, rec *manifest.Record, l *listing) (err error) {
	view, err := b.cfg.Database.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin view: %w: %w", ErrSource, err)
	}
	rec.Time, rec.Facts = now(), view.Facts()
	b.ship.holding.Store(true)
	defer func() {
		b.ship.holding.Store(false)
		if closeErr := view.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("end view: %w: %w", ErrSource, closeErr)
		}
	}()
	l.reset()
	files := view.Database()
	var total int64
	for _, f := range files {
		total += f.Size
	}
	b.cfg.Progress.begin("database", int64(len(files)), total)
	var streams []manifest.File
	for _, f := range files {
		f.Part = manifest.Database
		if f.PageSize == 0 {
			streams = append(streams, f)
			continue
		}
		if err := b.pagedFile(ctx, view, f, l); err != nil {
			return err
		}
		rec.Read += f.Size
	}
	if err := b.streams(ctx, view, streams, l); err != nil {
		return err
	}
	return l.want(view.Media(ctx))
}

func (b *backup) pagedFile(ctx context.Context, view View, f manifest.File, l *listing) error {
	f.Modified = stamp(f.Modified)
	r, err := view.OpenDatabase(ctx, f.Path)
	if err != nil {
		return fmt.Errorf("read database %q: %w: %w", f.Path, ErrSource, err)
	}
	defer r.Close()
	return b.pages(ctx, f, r, l)
}

// run is a block of pages on its way from the reader to a worker.
type run struct {
	block int64
	data  []byte
}

// pages stores those pages of a file that are not what the trail says. One
// goroutine reads, in order; the workers hash, compare, compress and seal.
func (b *backup) pages(ctx context.Context, f manifest.File, r io.Reader, l *listing) (err error) {
	if b.known, err = b.packs(); err != nil {
		return err
	}
	old, err := b.idx.Resume(f.Path, f.PageSize)
	if err != nil {
		return err
	}
	defer old.Close()
	trail, err := b.idx.CreateTrail(f.PageSize)
	if err != nil {
		return err
	}
	p := &pass{b: b, file: f, old: old, trail: trail}

	g, gctx := errgroup.WithContext(ctx)
	const ahead = 6
	runs, free := make(chan run, ahead), make(chan []byte, ahead)
	for range ahead {
		free <- make([]byte, index.BlockPages*f.PageSize)
	}
	g.Go(func() error {
		defer close(runs)
		return p.read(gctx, r, runs, free)
	})
	for range b.cfg.Workers {
		g.Go(func() error { return p.work(gctx, runs, free) })
	}
	if err := g.Wait(); err != nil {
		return errors.Join(err, trail.Close())
	}
	// The packs that were begun in this pass count as known from here on.
	if p.full.Load() {
		return errors.Join(errSpoolFull, trail.Close())
	}
	l.paged = append(l.paged, paged{f, trail})
	return nil
}

// packs are the packs that may be named, by number.
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

// pass is one reading of one paged file.
type pass struct {
	b     *backup
	file  manifest.File
	old   *index.Trail
	trail *index.Trail
	full  atomic.Bool // the spool is: no more pages are read
}

func (p *pass) read(ctx context.Context, r io.Reader, runs chan<- run, free <-chan []byte) error {
	for left, block := p.file.Size, int64(0); left > 0 && !p.full.Load(); block++ {
		var buf []byte
		select {
		case buf = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		buf = buf[:min(left, int64(cap(buf)))]
		if _, err := io.ReadFull(r, buf); err != nil {
			return fmt.Errorf("read database %q: %w: %w", p.file.Path, ErrSource, err)
		}
		left -= int64(len(buf))
		p.b.cfg.Progress.did(0, int64(len(buf)))
		select {
		case runs <- run{block, buf}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (p *pass) work(ctx context.Context, runs <-chan run, free chan<- []byte) error {
	fill, err := p.b.newFiller(manifest.Database)
	if err != nil {
		return err
	}
	fill.contents.Path, fill.contents.PageSize = p.file.Path, p.file.PageSize
	for r := range runs {
		err := p.block(ctx, fill, r)
		free <- r.data[:cap(r.data)]
		if err := unlessFull(err, &p.full); err != nil {
			return err
		}
	}
	return unlessFull(fill.end(ctx), &p.full)
}

// unlessFull notes a full spool, which ends the pass in good order: what is
// sealed or half filled is stored, and makes the next pass shorter.
func unlessFull(err error, full *atomic.Bool) error {
	if errors.Is(err, errSpoolFull) {
		full.Store(true)
		return nil
	}
	return err
}

// block stores the pages of a block that changed, and writes its trail.
func (p *pass) block(ctx context.Context, fill *filler, r run) error {
	var old, entries [index.BlockPages]index.Entry
	if err := p.old.Read(r.block, &old); err != nil {
		return err
	}
	for i := 0; i*p.file.PageSize < len(r.data); i++ {
		page := r.data[i*p.file.PageSize : (i+1)*p.file.PageSize]
		sum := index.SumOf(sha256.Sum256(page))
		if _, ok := p.b.known[old[i].Pack]; ok && old[i].Sum == sum {
			entries[i] = old[i]
			continue
		}
		e, err := fill.add(ctx, page)
		if errors.Is(err, errSpoolFull) {
			// The pack before this page was taken; this page has no place.
			return errSpoolFull
		}
		if err != nil {
			return err
		}
		fill.contents.Pages = append(fill.contents.Pages, index.Page{Number: r.block*index.BlockPages + int64(i), Sum: sum})
		entries[i] = index.Entry{Sum: sum, Pack: e.Pack, Offset: uint32(e.Offset)}
	}
	return p.trail.Write(r.block, &entries)
}
