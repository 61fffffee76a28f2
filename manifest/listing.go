package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// SegmentSize is how many bytes of a paged file one map line speaks of.
const SegmentSize = 64 << 20

// MaxLine bounds a line of the listing, in bytes. No line grows with the
// instance: the longest are map lines of a segment whose pages of 512 bytes all
// moved.
const MaxLine = 4 << 20

// maxPaged bounds a file of pages: SQLite's own limit (sqlite.org/limits.html).
const maxPaged = 1 << 48

// MapLine tells where pages of a paged file lie: those of one segment that one
// night stored. Lines of a segment follow each other from old to new, and a
// later line wins. A base line starts a segment anew: all pages are in it.
type MapLine struct {
	Part    Part   `json:"part"`
	Path    string `json:"path"`
	Segment int    `json:"segment"` // pages from Segment*SegmentSize/PageSize on
	Night   int64  `json:"night"`   // the sequence that the writing run expected: orders lines, no more
	Base    bool   `json:"base,omitempty"`
	Runs    []Runs `json:"runs"`
}

// Runs are pages of a segment that lie in one pack. Steps are triples
// [gap, skip, count]: pass over gap pages of the segment and skip pages of the
// pack, then count pages of the pack are the next count pages of the segment.
// The first gap counts from the segment's start, the first skip from Offset.
type Runs struct {
	Pack   uint32 `json:"pack"`
	Offset int64  `json:"offset"` // in the pack's decompressed bytes
	Steps  []int  `json:"steps"`
}

// ExtentLine tells where the next bytes of the file before it lie.
type ExtentLine struct {
	Part Part     `json:"part"`
	Path string   `json:"path"`
	More []Extent `json:"more"`
}

// MaxExtents is how many extents an extent line holds at most, 100 KB of text.
const MaxExtents = 4096

// Line is one line of the listing: exactly one of the three is set.
type Line struct {
	File    *File
	Map     *MapLine
	Extents *ExtentLine
}

// Append appends the line's JSON and a newline.
func (l Line) Append(text []byte) ([]byte, error) {
	var v any = l.File
	switch {
	case l.Map != nil:
		v = l.Map
	case l.Extents != nil:
		v = l.Extents
	}
	line, err := json.Marshal(v)
	if err != nil {
		return text, err
	}
	return append(append(text, line...), '\n'), nil
}

// ErrListing means that a listing breaks the rules of its format.
var ErrListing = errors.New("the listing is not as the format says")

// Lines reads a listing, and checks on the way that it is in path order, that
// paths can't climb, and that sizes, extents and maps agree. An error ends it.
func Lines(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(make([]byte, 64<<10), MaxLine)
		scanner.Split(terminated)
		var last at
		n := 1
		broken := func(err error) { yield(Line{}, fmt.Errorf("read listing: line %d: %w: %w", n, ErrListing, err)) }
		for ; scanner.Scan(); n++ {
			line, err := parseLine(scanner.Bytes(), &last)
			if err != nil {
				broken(err)
				return
			}
			if !yield(line, nil) {
				return
			}
		}
		if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) || errors.Is(err, io.ErrUnexpectedEOF) {
			yield(Line{}, fmt.Errorf("read listing: %w: %w", ErrListing, err))
		} else if err != nil {
			yield(Line{}, fmt.Errorf("read listing: %w", err))
		} else if err := last.complete(); err != nil {
			broken(err)
		}
	}
}

// at is how far a reader is: the last file, what its extent lines owe, and the
// links that the next path could lie below.
type at struct {
	file  *File
	lines int
	bytes int64
	links links
}

// complete reports whether the last file has all its extent lines.
func (a *at) complete() error {
	if a.lines != 0 || a.bytes != 0 {
		return fmt.Errorf("%d extent lines and %d bytes of %s/%s are missing", a.lines, a.bytes, a.file.Part, a.file.Path)
	}
	return nil
}

// next moves on to another file.
func (a *at) next(f *File) error {
	if err := errors.Join(a.complete(), f.validate(a.file)); err != nil {
		return err
	}
	links, err := a.links.next(a.file, f)
	if err != nil {
		return err
	}
	*a = at{file: f, links: links}
	if f.Lines > 0 {
		a.lines, a.bytes = f.Lines, f.Size
	}
	return nil
}

// more takes an extent line.
func (a *at) more(l *ExtentLine) error {
	if a.lines == 0 || l.Part != a.file.Part || l.Path != a.file.Path {
		return errors.New("extents that follow no file that waits for them")
	}
	size, err := extents(l.More)
	if err != nil {
		return err
	}
	a.lines, a.bytes = a.lines-1, a.bytes-size
	if a.bytes < 0 || a.lines == 0 && a.bytes > 0 {
		return fmt.Errorf("%d bytes too few or too many", a.bytes)
	}
	return nil
}

// terminated splits lines; a last line without its newline is an error.
func terminated(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

func parseLine(text []byte, last *at) (Line, error) {
	var kind struct {
		Runs json.RawMessage `json:"runs"`
		More json.RawMessage `json:"more"`
	}
	// A file's line has neither. Looking for the words first saves reading
	// every line twice.
	if bytes.Contains(text, []byte(`"runs":`)) || bytes.Contains(text, []byte(`"more":`)) {
		if err := json.Unmarshal(text, &kind); err != nil {
			return Line{}, err
		}
	}
	switch {
	case kind.Runs != nil:
		var m MapLine
		if err := json.Unmarshal(text, &m); err != nil {
			return Line{}, err
		}
		return Line{Map: &m}, m.validate(last.file)
	case kind.More != nil:
		var l ExtentLine
		if err := json.Unmarshal(text, &l); err != nil {
			return Line{}, err
		}
		return Line{Extents: &l}, last.more(&l)
	}
	var f File
	if err := json.Unmarshal(text, &f); err != nil {
		return Line{}, err
	}
	return Line{File: &f}, last.next(&f)
}

func (f *File) validate(last *File) error {
	if f.Part != Database && f.Part != Files && f.Part != Media {
		return fmt.Errorf("part %q is not known", f.Part)
	}
	if !ValidPath(f.Path) {
		return fmt.Errorf("path %q is not allowed", f.Path)
	}
	if last != nil && (f.Part < last.Part || f.Part == last.Part && f.Path <= last.Path) {
		return fmt.Errorf("%s/%s comes after %s/%s", f.Part, f.Path, last.Part, last.Path)
	}
	if f.User != "" && !ValidUser(f.User) {
		return fmt.Errorf("user %.100q is not allowed", f.User)
	}
	if f.Link != "" {
		if f.Part != Files || f.Size != 0 || f.SHA256 != nil || f.PageSize != 0 || f.Missing || f.Lines != 0 || len(f.Extents) > 0 {
			return fmt.Errorf("a link with bytes, or in the part %s", f.Part)
		}
		return nil
	}
	if f.Missing {
		if len(f.Extents) > 0 || f.Size != 0 || f.Lines != 0 {
			return errors.New("a missing file with bytes")
		}
		return nil
	}
	if f.PageSize != 0 {
		if f.PageSize < 512 || f.PageSize > 64<<10 || f.PageSize&(f.PageSize-1) != 0 || f.Size < 0 || f.Size > maxPaged || f.Size%int64(f.PageSize) != 0 || len(f.Extents) > 0 || f.Lines != 0 {
			return fmt.Errorf("pages of %d bytes in a file of %d", f.PageSize, f.Size)
		}
		return nil
	}
	if f.Lines != 0 {
		// Each line brings at least a byte.
		if f.Lines < 0 || int64(f.Lines) > f.Size || len(f.Extents) > 0 {
			return fmt.Errorf("%d extent lines for a file of %d bytes", f.Lines, f.Size)
		}
		return nil
	}
	size, err := extents(f.Extents)
	if err != nil {
		return err
	}
	if size != f.Size {
		return fmt.Errorf("%d bytes, extents of %d", f.Size, size)
	}
	return nil
}

// extents checks extents and sums them up.
func extents(all []Extent) (size int64, err error) {
	for _, e := range all {
		if e.Offset < 0 || e.Length <= 0 || e.Offset > 1<<40 || e.Length > 1<<40 {
			return 0, fmt.Errorf("extent %v is not possible", e)
		}
		// A line has at most 2^20 extents: this can't overflow.
		size += e.Length
	}
	return size, nil
}

// Pages is how many pages of the file lie in a segment.
func (f *File) Pages(segment int) int {
	per := int64(SegmentSize / f.PageSize)
	return int(max(0, min(per, f.Size/int64(f.PageSize)-int64(segment)*per)))
}

// Segments is how many segments a paged file has.
func (f *File) Segments() int { return int((f.Size + SegmentSize - 1) / SegmentSize) }

func (m *MapLine) validate(last *File) error {
	if last == nil || last.PageSize == 0 || last.Part != m.Part || last.Path != m.Path {
		return errors.New("a map that follows no file of pages")
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
			// A page past the file's end is one that the file lost since.
			if page += gap + count; page > per {
				return fmt.Errorf("runs of pack %d leave the segment", r.Pack)
			}
		}
	}
	return nil
}

// PageAt is where a page lies.
type PageAt struct {
	Pack   uint32
	Offset int64
}

// Apply writes what the line says into the segment's table of pages, which has
// an entry for each of SegmentSize/pageSize pages. A zero Pack means nowhere:
// packs are numbered from 1.
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

// MapRuns is the reverse of Apply: the runs for those entries of the table that
// have a pack, packs in the order in which they first occur. Within a pack,
// pages must lie in the order of the segment; where they don't, a new Runs
// begins.
func MapRuns(table []PageAt, pageSize int) []Runs {
	type open struct {
		runs *Runs
		page int   // after the last
		at   int64 // after the last
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
