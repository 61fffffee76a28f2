package vault

import (
	"context"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/pack"
)

// packer fills packs of a part, seals them and hands them to the shipper. Each
// worker owns a packer, and the packer owns the open pack.
type packer struct {
	ship *shipper
	part manifest.Part
	find *index.Finder
	w    *pack.Writer
	in   []byte // for the bytes of files, made when first needed

	buf      []byte // of the open pack; nil: no pack is open
	spare    []byte // for the next pack, if the shipper gave one back
	number   uint32 // of the open pack
	contents index.Contents
	chunks   map[manifest.Hash]manifest.Extent // in the open pack
}

func newPacker(ship *shipper, part manifest.Part) (*packer, error) {
	effort := pack.Sampled
	switch part {
	case manifest.Database:
		effort = pack.Fast
	case manifest.Listing:
		effort = pack.Thorough
	}
	w, err := pack.NewWriter(ship.sealer, effort)
	if err != nil {
		return nil, err
	}
	return &packer{
		ship: ship, part: part, find: ship.idx.Finder(part), w: w, chunks: map[manifest.Hash]manifest.Extent{},
	}, nil
}

// lookUp returns the extent of a chunk in an earlier pack or in the open pack.
func (p *packer) lookUp(id manifest.Hash, length int) (manifest.Extent, bool, error) {
	if e, ok := p.chunks[id]; ok && e.Length == int64(length) {
		return e, true, nil
	}
	e, ok, err := p.find.Find(id)
	return e, ok && e.Length == int64(length), err
}

// add appends bytes to the open pack. If the pack is full, add first hands it
// to the shipper and starts another.
func (p *packer) add(ctx context.Context, data []byte) (manifest.Extent, error) {
	if p.buf != nil && !p.w.Fits(len(data)) {
		sealed, err := p.seal()
		if err != nil {
			return manifest.Extent{}, err
		}
		if p.spare, err = p.ship.send(ctx, sealed); err != nil {
			return manifest.Extent{}, err
		}
	}
	if p.buf == nil {
		if err := p.start(ctx); err != nil {
			return manifest.Extent{}, err
		}
	}
	offset, err := p.w.Add(data)
	return manifest.Extent{Pack: p.number, Offset: offset, Length: int64(len(data))}, err
}

// note remembers a chunk that add stored.
func (p *packer) note(id manifest.Hash, e manifest.Extent) {
	p.chunks[id] = e
	p.contents.Chunks = append(p.contents.Chunks, index.Chunk{ID: id, Offset: e.Offset, Length: e.Length})
}

// start opens a pack.
func (p *packer) start(ctx context.Context) (err error) {
	if p.buf, p.spare = p.spare, nil; p.buf == nil {
		if p.buf, err = p.ship.buffer(ctx); err != nil {
			return err
		}
	}
	// Numbers start above the newest record: two records never give the same
	// number to different packs.
	if p.number, err = p.ship.idx.NextPack(p.ship.above); err != nil {
		return err
	}
	return p.w.Start(p.buf)
}

// seal closes the open pack and records the pack in the index, with the contents
// noted for it.
func (p *packer) seal() (parcel, error) {
	sealed, err := p.w.Finish()
	if err != nil {
		return parcel{}, err
	}
	row := index.Pack{Part: p.part}
	row.Pack = manifest.Pack{Number: p.number, Name: sealed.Name, Size: int64(len(sealed.Bytes))}
	err = p.ship.idx.AddPack(row, p.contents)
	p.contents = index.Contents{Path: p.contents.Path, PageSize: p.contents.PageSize}
	clear(p.chunks)
	p.buf = nil
	return parcel{row.Pack, sealed.Bytes}, err
}

// flush hands over the open pack, if any, and records all files noted so far.
func (p *packer) flush(ctx context.Context) error {
	if p.buf == nil {
		files := p.contents.Files
		p.contents.Files = nil
		return p.ship.idx.PutFiles(files)
	}
	sealed, err := p.seal()
	if err != nil {
		return err
	}
	p.spare, err = p.ship.send(ctx, sealed)
	return err
}

// close flushes and gives the spare buffer back to the shipper.
func (p *packer) close(ctx context.Context) error {
	err := p.flush(ctx)
	p.ship.giveBack(p.spare)
	p.spare = nil
	return err
}

// appendExtent appends an extent, merged with the last one if the two adjoin.
func appendExtent(extents []manifest.Extent, e manifest.Extent) []manifest.Extent {
	if n := len(extents); n > 0 && extents[n-1].Pack == e.Pack && extents[n-1].Offset+extents[n-1].Length == e.Offset {
		extents[n-1].Length += e.Length
		return extents
	}
	return append(extents, e)
}
