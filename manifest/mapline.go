package manifest

import (
	"errors"
	"fmt"
)

// MapLine locates the pages that one night stored of one segment of a paged file.
// The lines of a segment come in order, from old to new; a later line wins. A
// base line has every page of the segment.
type MapLine struct {
	Part    Part   `json:"part"`
	Path    string `json:"path"`
	Segment int    `json:"segment"` // the first page is Segment*SegmentSize/PageSize
	Night   int64  `json:"night"`   // sequence that the run expected for the record; orders lines, no more
	Base    bool   `json:"base,omitempty"`
	Runs    []Runs `json:"runs"`
}

// SegmentSize is the size of a segment of a paged file, in bytes.
const SegmentSize = 64 << 20

// Runs locates pages of a segment in one pack. Steps are triples [gap, skip,
// count]: skip gap pages of the segment and skip pages of the pack, then take
// count pages of the pack as the next count pages of the segment. The first gap
// counts from the start of the segment, the first skip from Offset.
type Runs struct {
	Pack   uint32 `json:"pack"`
	Offset int64  `json:"offset"` // in the pack's decompressed bytes
	Steps  []int  `json:"steps"`
}

// PageAt is the place of a page in a pack.
type PageAt struct {
	Pack   uint32
	Offset int64
}

// Apply writes the line into the segment's table of SegmentSize/pageSize pages.
// Pack 0 means no place: packs are numbered from 1. The line must come from
// [Lines], and pageSize from the line's file.
func (m *MapLine) Apply(table []PageAt, pageSize int) {
	if m.Base {
		clear(table)
	}
	for _, r := range m.Runs {
		page, at := 0, r.Offset
		for i := 0; i < len(r.Steps); i += 3 {
			page += r.Steps[i]
			at += int64(r.Steps[i+1]) * int64(pageSize)
			for range r.Steps[i+2] {
				table[page] = PageAt{r.Pack, at}
				page++
				at += int64(pageSize)
			}
		}
	}
}

// MapRuns is the reverse of Apply: MapRuns returns the runs for the entries with
// a pack. Packs come in the order of the table. Within one Runs, the pages lie in
// the pack in the order of the segment; a page out of order starts a new Runs.
func MapRuns(table []PageAt, pageSize int) []Runs {
	type open struct {
		runs *Runs
		page int   // after the last page
		at   int64 // after the last page
	}
	var out []*Runs
	current := map[uint32]*open{}
	for page, p := range table {
		if p.Pack == 0 {
			continue
		}
		o := current[p.Pack]
		if o == nil || p.Offset < o.at || (p.Offset-o.at)%int64(pageSize) != 0 {
			o = &open{runs: &Runs{Pack: p.Pack, Offset: p.Offset, Steps: []int{}}, at: p.Offset}
			current[p.Pack] = o
			out = append(out, o.runs)
		}
		if n := len(o.runs.Steps); n > 0 && page == o.page && p.Offset == o.at {
			o.runs.Steps[n-1]++
		} else {
			o.runs.Steps = append(o.runs.Steps, page-o.page, int((p.Offset-o.at)/int64(pageSize)), 1)
		}
		o.page, o.at = page+1, p.Offset+int64(pageSize)
	}
	runs := make([]Runs, len(out))
	for i, r := range out {
		runs[i] = *r
	}
	return runs
}

// validate checks a map line of the file last.
func (m *MapLine) validate(last *File) error {
	if last == nil || last.PageSize == 0 || last.Part != m.Part || last.Path != m.Path {
		return errors.New("a map line without a paged file before")
	}
	if m.Segment < 0 || m.Segment >= last.Segments() {
		return fmt.Errorf("segment %d of a file of %d bytes", m.Segment, last.Size)
	}
	per := SegmentSize / last.PageSize
	for _, r := range m.Runs {
		if r.Offset < 0 || r.Offset > 1<<40 || len(r.Steps)%3 != 0 {
			return fmt.Errorf("runs of pack %d are malformed", r.Pack)
		}
		page := 0
		for i := 0; i < len(r.Steps); i += 3 {
			gap, skip, count := r.Steps[i], r.Steps[i+1], r.Steps[i+2]
			if gap < 0 || gap > per || skip < 0 || skip > 1<<30 || count < 1 || count > per {
				return fmt.Errorf("runs of pack %d step out of bounds", r.Pack)
			}
			// A page past the end of the file is allowed: the file shrank since.
			if page += gap + count; page > per {
				return fmt.Errorf("runs of pack %d leave the segment", r.Pack)
			}
		}
	}
	return nil
}
