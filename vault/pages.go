package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"

	"holdfast/manifest"
	"holdfast/manifest/index"
)

// pagedFile is a file of pages in a transaction. The workers share a pagedFile:
// each worker takes block after block.
type pagedFile struct {
	file  manifest.File
	old   *index.Trail // what earlier packs hold of the file
	trail *index.Trail // what the snapshot holds of the file

	mu    sync.Mutex // guards what follows
	r     io.ReadCloser
	left  int64 // bytes that r still holds
	block int64 // the next one
}

// openPages opens a file of pages, and its trails.
func openPages(ctx context.Context, view View, f manifest.File, idx *index.Index) (p *pagedFile, err error) {
	p = &pagedFile{file: f, left: f.Size}
	if p.r, err = view.OpenDatabase(ctx, f.Path); err != nil {
		return nil, fmt.Errorf("read database %q: %w: %w", f.Path, ErrSource, err)
	}
	if p.old, err = idx.Resume(f.Path, f.PageSize); err != nil {
		return nil, errors.Join(err, p.r.Close())
	}
	if p.trail, err = idx.CreateTrail(f.PageSize); err != nil {
		p.closeReader()
		return nil, err
	}
	return p, nil
}

// closeReader closes the reader and the old trail. The new trail stays open.
func (p *pagedFile) closeReader() {
	p.r.Close()
	p.old.Close()
}

// next reads the next block of pages into buf. No data and no error is the end.
func (p *pagedFile) next(buf []byte) (block int64, data []byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	data = buf[:min(p.left, int64(len(buf)))]
	if _, err := io.ReadFull(p.r, data); err != nil {
		return 0, nil, fmt.Errorf("read database %q: %w: %w", p.file.Path, ErrSource, err)
	}
	block = p.block
	p.block++
	p.left -= int64(len(data))
	return block, data, nil
}

// pages stores the pages that differ from known packs, until the file ends or
// full is closed. Several packers may work on one file.
func (p *packer) pages(ctx context.Context, f *pagedFile, known map[uint32]index.Pack, full <-chan struct{}) error {
	size := f.file.PageSize
	p.contents.Path, p.contents.PageSize = f.file.Path, size
	buf := make([]byte, index.BlockPages*size)
	for {
		block, data, err := f.next(buf)
		if err != nil {
			return err
		}
		if len(data) == 0 || closed(full) {
			return p.flush(ctx)
		}
		p.ship.progress.did(0, int64(len(data)))
		var old, entries [index.BlockPages]index.Entry
		if err := f.old.Read(block, &old); err != nil {
			return err
		}
		for i := range len(data) / size {
			page := data[i*size : (i+1)*size]
			sum := index.SumOf(sha256.Sum256(page))
			if _, ok := known[old[i].Pack]; ok && old[i].Sum == sum {
				entries[i] = old[i]
				continue
			}
			if closed(full) {
				return p.flush(ctx)
			}
			e, err := p.add(ctx, page)
			if err != nil {
				return err
			}
			p.contents.Pages = append(p.contents.Pages, index.Page{Number: block*index.BlockPages + int64(i), Sum: sum})
			entries[i] = index.Entry{Sum: sum, Pack: e.Pack, Offset: uint32(e.Offset)}
		}
		if err := f.trail.Write(block, &entries); err != nil {
			return err
		}
	}
}
