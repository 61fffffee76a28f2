package vault

import (
	"fmt"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/pack"
)

// planner turns the lines of a listing into a plan. It holds the map of one
// segment at a time.
type planner struct {
	*restore
	w     *index.Planner
	files int

	id     int64 // of the file that further lines speak of
	pieces int

	paged   *manifest.File // the file of pages that map lines speak of, if chosen
	segment int
	table   []manifest.PageAt

	stream *manifest.File // the stream that extent lines speak of, if chosen
	at     int64          // how much of it they told
}

func (p *planner) line(line manifest.Line) error {
	if line.Map != nil {
		if p.paged == nil {
			return nil // of a file that was not chosen
		}
		return p.mapLine(line.Map)
	}
	if line.Extents != nil {
		if p.stream == nil {
			return nil
		}
		return p.extents(line.Extents.More)
	}
	if err := p.endFile(); err != nil {
		return err
	}
	f := line.File
	if !p.cfg.chosen(f) {
		return nil
	}
	if f.Missing {
		p.report.Missing = append(p.report.Missing, string(f.Part)+"/"+f.Path)
		return nil
	}
	p.files++
	place, err := p.target.PathOf(*f)
	if err != nil {
		return fmt.Errorf("restore %s %q: %w", f.Part, f.Path, err)
	}
	modified := f.Modified
	if modified.IsZero() { // a stream has no time of its own
		modified = p.snap.Record.Time
	}
	if p.id, err = p.w.File(index.Planned{Part: f.Part, Place: place, Size: f.Size, Mode: f.Mode, Modified: modified, Link: f.Link}); err != nil {
		return err
	}
	p.pieces = 0
	if f.PageSize > 0 {
		p.paged, p.segment = f, 0
		p.table = make([]manifest.PageAt, manifest.SegmentSize/f.PageSize)
		return nil
	}
	p.stream, p.at = f, 0
	return p.extents(f.Extents)
}

// extents plans the next bytes of a stream.
func (p *planner) extents(extents []manifest.Extent) error {
	for _, e := range extents {
		if err := p.piece(e, p.id, p.at); err != nil {
			return fmt.Errorf("restore %s %q: %w", p.stream.Part, p.stream.Path, err)
		}
		p.at += e.Length
		p.pieces++
	}
	return nil
}

func (p *planner) piece(e manifest.Extent, file, at int64) error {
	if _, ok := p.snap.packs[e.Pack]; !ok {
		return fmt.Errorf("it needs pack %d, which the record does not name: %w", e.Pack, ErrDamage)
	}
	if e.Offset+e.Length > pack.MaxPlain {
		return fmt.Errorf("extent %v leads beyond its pack: %w", e, ErrDamage)
	}
	return p.w.Piece(e.Pack, index.Piece{Offset: e.Offset, Length: e.Length, File: file, At: at})
}

// mapLine applies a line to its segment; the lines of a segment follow each
// other.
func (p *planner) mapLine(m *manifest.MapLine) error {
	if m.Segment < p.segment {
		return fmt.Errorf("restore %q: the map goes back to segment %d: %w", p.paged.Path, m.Segment, ErrDamage)
	}
	for p.segment < m.Segment {
		if err := p.endSegment(); err != nil {
			return err
		}
	}
	m.Apply(p.table, p.paged.PageSize)
	return nil
}

// endSegment plans the pages of the segment that was read, neighbours together.
func (p *planner) endSegment() error {
	size := int64(p.paged.PageSize)
	first := int64(p.segment) * manifest.SegmentSize
	n := p.paged.Pages(p.segment)
	for i := 0; i < n; {
		at := p.table[i]
		if at.Pack == 0 {
			return fmt.Errorf("restore %q: the map leaves out page %d: %w", p.paged.Path, first/size+int64(i)+1, ErrDamage)
		}
		run := 1
		for i+run < n && p.table[i+run] == (manifest.PageAt{Pack: at.Pack, Offset: at.Offset + int64(run)*size}) {
			run++
		}
		e := manifest.Extent{Pack: at.Pack, Offset: at.Offset, Length: int64(run) * size}
		if err := p.piece(e, p.id, first+int64(i)*size); err != nil {
			return fmt.Errorf("restore %q: %w", p.paged.Path, err)
		}
		p.pieces++
		i += run
	}
	clear(p.table)
	p.segment++
	return nil
}

// endFile says how many pieces the last file has.
func (p *planner) endFile() error {
	if p.stream != nil {
		p.stream = nil
		return p.w.Pieces(p.id, p.pieces)
	}
	if p.paged == nil {
		return nil
	}
	for p.segment < p.paged.Segments() {
		if err := p.endSegment(); err != nil {
			return err
		}
	}
	// Two, where it has one: it is finished apart, with all others of pages.
	err := p.w.Pieces(p.id, max(2, p.pieces))
	p.paged, p.table = nil, nil
	return err
}
