package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"holdfast/chunking"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/pack"
)

// filler fills packs of one part with chunks that the index does not know. Each
// worker has its own.
type filler struct {
	b    *backup
	part manifest.Part
	find *index.Finder
	w    *pack.Writer
	buf  []byte // of the open pack, nil where none is open
	next []byte // for the pack after, where send gave one

	number   uint32
	contents index.Contents
	local    map[manifest.Hash]manifest.Extent // chunks of the open pack
}

func (b *backup) newFiller(part manifest.Part) (*filler, error) {
	effort := pack.Sampled
	switch part {
	case manifest.Database:
		effort = pack.Fast
	case manifest.Listing:
		effort = pack.Thorough
	}
	w, err := pack.NewWriter(b.ship.sealer, effort)
	if err != nil {
		return nil, err
	}
	return &filler{b: b, part: part, find: b.idx.Finder(part), w: w, local: map[manifest.Hash]manifest.Extent{}}, nil
}

// add appends bytes to a pack, wherever else they may lie.
func (f *filler) add(ctx context.Context, chunk []byte) (manifest.Extent, error) {
	if f.buf != nil && !f.w.Fits(len(chunk)) {
		if err := f.flush(ctx); err != nil {
			return manifest.Extent{}, err
		}
	}
	if f.buf == nil {
		if err := f.start(ctx); err != nil {
			return manifest.Extent{}, err
		}
	}
	offset, err := f.w.Add(chunk)
	return manifest.Extent{Pack: f.number, Offset: offset, Length: int64(len(chunk))}, err
}

func (f *filler) start(ctx context.Context) (err error) {
	if f.buf, f.next = f.next, nil; f.buf == nil {
		if f.buf, err = f.b.ship.buffer(ctx); err != nil {
			return err
		}
	}
	// Above the newest record's numbers too: a person who reads two records
	// side by side sees no number twice.
	if f.number, err = f.b.idx.NextPack(f.b.repo.highest()); err != nil {
		return err
	}
	return f.w.Start(f.buf)
}

// store appends a chunk unless it is known, by ID and length, and says where it
// lies.
func (f *filler) store(ctx context.Context, chunk []byte, id manifest.Hash) (manifest.Extent, error) {
	length := int64(len(chunk))
	if e, ok := f.local[id]; ok && e.Length == length {
		return e, nil
	}
	e, ok, err := f.find.Find(id)
	if err != nil || ok && e.Length == length {
		return e, err
	}
	if e, err = f.add(ctx, chunk); err != nil {
		return e, err
	}
	f.local[id] = e
	f.contents.Chunks = append(f.contents.Chunks, index.Chunk{ID: id, Offset: e.Offset, Length: e.Length})
	return e, nil
}

// flush seals the open pack and sends it, with all that was noted for it.
func (f *filler) flush(ctx context.Context) error {
	contents := f.contents
	f.contents = index.Contents{Path: contents.Path, PageSize: contents.PageSize}
	clear(f.local)
	if f.buf == nil {
		return f.b.idx.PutFiles(contents.Files)
	}
	sealed, err := f.w.Finish()
	if err != nil {
		return err
	}
	f.buf = nil
	p := index.Pack{Part: f.part, Pack: manifest.Pack{Number: f.number, Name: sealed.Name, Size: int64(len(sealed.Bytes))}}
	f.next, err = f.b.ship.send(ctx, p, contents, sealed.Bytes)
	return err
}

// end seals what is left and gives the buffer back.
func (f *filler) end(ctx context.Context) error {
	err := f.flush(ctx)
	f.b.ship.keep(f.next)
	f.next = nil
	return err
}

// file stores a file's bytes from r, and fills in size, sum and extents. Below
// chunking.Whole it is one chunk, else its chunks end at fixed places. A chunk's
// ID is the hash of the file up to its end, so each byte is hashed once, and
// files that begin alike share chunks. The row goes to the index with the pack
// that holds the last of it. buf holds chunking.Whole bytes.
func (f *filler) file(ctx context.Context, file manifest.File, r io.Reader, buf []byte) error {
	size := file.Size
	file.Size, file.Extents = 0, nil
	hash := sha256.New()
	for more := true; more; {
		n, err := io.ReadFull(r, buf)
		if more = err == nil; !more && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return sourceError{err}
		}
		piece := chunking.Piece
		if file.Size == 0 && !more {
			piece = chunking.Whole
		}
		for chunk := range slices.Chunk(buf[:n], piece) {
			hash.Write(chunk)
			e, err := f.store(ctx, chunk, manifest.Hash(hash.Sum(nil)))
			if err != nil {
				return err
			}
			file.Size += e.Length
			file.Extents = join(file.Extents, e)
		}
	}
	sum := manifest.Hash(hash.Sum(nil))
	file.SHA256 = &sum
	return f.line(ctx, file, size)
}

// line notes a file whose bytes are stored. size is what its progress counts.
func (f *filler) line(ctx context.Context, file manifest.File, size int64) error {
	f.b.cfg.Progress.did(1, size)
	f.contents.Files = append(f.contents.Files, file)
	if f.buf == nil && len(f.contents.Files) >= 1000 {
		return f.flush(ctx)
	}
	return nil
}

// batch is a run of chunks that were cut and hashed: few of them change hands
// instead of many small chunks.
type batch struct {
	data []byte
	ends []int // of the chunks in data
	ids  []manifest.Hash
}

const (
	batchSize = 128 << 10
	// cutAhead is how many batches may be cut before they are stored.
	cutAhead = 4
)

// cut stores a stream in chunks whose ends its content decides, and yields where
// they lie. whole is given every byte. While chunks are looked up and sealed, the
// next ones are read, cut and hashed.
func (f *filler) cut(ctx context.Context, r io.Reader, sizes chunking.Sizes, whole io.Writer) iter.Seq2[manifest.Extent, error] {
	return func(yield func(manifest.Extent, error) bool) {
		cutter, err := chunking.NewCutter(io.TeeReader(r, whole), f.b.host.Polynomial, sizes)
		if err != nil {
			yield(manifest.Extent{}, err)
			return
		}
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		g, gctx := errgroup.WithContext(ctx)
		batches, free := make(chan *batch, cutAhead), make(chan *batch, cutAhead)
		for range cutAhead {
			free <- new(batch)
		}
		g.Go(func() error {
			defer close(batches)
			return cutInto(gctx, cutter, sizes.Max, batches, free)
		})
		more := true
		for c := range batches {
			from := 0
			for i, end := range c.ends {
				if !more {
					break
				}
				e, err := f.store(ctx, c.data[from:end], c.ids[i])
				from = end
				if more = yield(e, err) && err == nil; !more {
					stop()
				}
			}
			free <- c
		}
		if err := g.Wait(); err != nil && more {
			yield(manifest.Extent{}, err)
		}
	}
}

// cutInto cuts up to the end of the stream.
func cutInto(ctx context.Context, cutter *chunking.Cutter, largest int, batches chan<- *batch, free <-chan *batch) error {
	for {
		var c *batch
		select {
		case c = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := c.fill(cutter, largest)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		select {
		case batches <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return nil
		}
	}
}

// fill cuts chunks until no other surely fits, or the stream's end, io.EOF.
func (c *batch) fill(cutter *chunking.Cutter, largest int) error {
	if c.data == nil { // made when first needed: most streams are short
		c.data = make([]byte, 0, batchSize)
	}
	c.data, c.ends, c.ids = c.data[:0], c.ends[:0], c.ids[:0]
	for len(c.data)+largest <= cap(c.data) {
		chunk, err := cutter.Next(c.data[len(c.data):])
		if err != nil {
			return err
		}
		c.data = c.data[:len(c.data)+len(chunk)]
		c.ends = append(c.ends, len(c.data))
		c.ids = append(c.ids, sha256.Sum256(chunk))
	}
	return nil
}

// join appends an extent, as part of the last one where it continues it.
func join(extents []manifest.Extent, e manifest.Extent) []manifest.Extent {
	if n := len(extents); n > 0 && extents[n-1].Pack == e.Pack && extents[n-1].Offset+extents[n-1].Length == e.Offset {
		extents[n-1].Length += e.Length
		return extents
	}
	return append(extents, e)
}
