package vault

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"holdfast/manifest"
	"holdfast/pack"
)

// makePlan reads the listing and plans the pieces of each pack.
func (r *restore) makePlan(ctx context.Context) error {
	r.cfg.Progress.begin("plan", 0, 0)
	w, err := r.plan.begin()
	if err != nil {
		return err
	}
	p := planner{snap: r.snap, choice: newChoice(r.cfg.Parts, r.cfg.Paths, r.cfg.Which), target: r.target, out: w}
	for line, err := range r.snap.Lines(ctx) {
		if err == nil {
			err = p.line(line)
		}
		if err != nil {
			w.rollback()
			return err
		}
	}
	if err := p.endFile(); err != nil {
		w.rollback()
		return err
	}
	if p.files == 0 {
		w.rollback()
		return r.nothingChosen(p.missing)
	}
	r.journal.State, r.journal.Boot, r.journal.Missing = planned, bootID(), p.missing
	r.journal.Mixed = p.mixed
	return w.commit(r.journal)
}

// nothingChosen is the error if the snapshot has no chosen file.
func (r *restore) nothingChosen(missing []string) error {
	why := ErrNoFile
	if len(missing) > 0 {
		why = fmt.Errorf("it was missing from the instance when the snapshot was made: %w", ErrNoFile)
	}
	what := cmp.Or(strings.Join(r.journal.Purpose.only(), ", "), "a file")
	return fmt.Errorf("find %s in snapshot %s: %w", what, r.snap.Record.ID(), why)
}

// planner turns the lines of a listing into a plan. The planner holds the map
// of a single segment.
type planner struct {
	snap    *Snapshot
	choice  choice
	target  Target
	out     *planWriter
	files   int      // chosen so far
	missing []string // chosen, and missing from the snapshot
	mixed   []string // chosen, and perhaps a mix of two states

	id     int64 // of the current file
	pieces int   // of the current file

	paged   *manifest.File // the current file, if it has pages and is chosen
	segment int
	table   []manifest.PageAt

	stream *manifest.File // the current file, if it has extents and is chosen
	at     int64          // bytes that extents so far hold
}

func (p *planner) line(line manifest.Line) error {
	if line.Map != nil {
		if p.paged == nil {
			return nil // the file was not chosen
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
	if !p.choice.holds(f) {
		return nil
	}
	if f.Missing {
		p.missing = append(p.missing, string(f.Part)+"/"+f.Path)
		return nil
	}
	if f.Mixed {
		p.mixed = append(p.mixed, string(f.Part)+"/"+f.Path)
	}
	p.files++
	path, err := p.target.PathOf(*f)
	if err != nil {
		return fmt.Errorf("restore %s %q: %w", f.Part, f.Path, err)
	}
	modified := f.Modified
	if modified.IsZero() { // a stream of the database has no time
		modified = p.snap.Record.Time
	}
	planned := plannedFile{part: f.Part, path: path, size: f.Size, mode: f.Mode, modified: modified, link: f.Link,
		folder: f.Folder}
	if f.SHA256 != nil {
		planned.sum = f.SHA256[:]
	}
	if p.id, err = p.out.addFile(planned); err != nil {
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
		return fmt.Errorf("the file needs pack %d, which the record does not name: %w", e.Pack, ErrDamage)
	}
	if e.Offset+e.Length > pack.MaxPlain {
		return fmt.Errorf("extent %v leads beyond its pack: %w", e, ErrDamage)
	}
	return p.out.addPiece(e.Pack, piece{offset: e.Offset, length: e.Length, file: file, at: at})
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

// endSegment plans the pages of the current segment, neighbours together.
func (p *planner) endSegment() error {
	size := int64(p.paged.PageSize)
	first := int64(p.segment) * manifest.SegmentSize
	n := p.paged.Pages(p.segment)
	for i := 0; i < n; {
		at := p.table[i]
		if at.Pack == 0 {
			return fmt.Errorf("restore %q: the map leaves out page %d: %w",
				p.paged.Path, first/size+int64(i)+1, ErrDamage)
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

// endFile ends the current file, if any.
func (p *planner) endFile() error {
	if p.stream != nil {
		p.stream = nil
		if p.pieces == 1 {
			return p.out.setSingle(p.id)
		}
		return nil
	}
	if p.paged == nil {
		return nil
	}
	for p.segment < p.paged.Segments() {
		if err := p.endSegment(); err != nil {
			return err
		}
	}
	// Not setSingle: checkDatabase completes all files of the database at once.
	p.paged, p.table = nil, nil
	return nil
}
