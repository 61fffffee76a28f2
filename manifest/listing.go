package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"holdfast/internal/strict"
	"holdfast/remedy"
)

// Line is one line of the listing. Exactly one of the fields is set.
type Line struct {
	File    *File
	Map     *MapLine
	Extents *ExtentLine
}

// ExtentLine locates the next bytes of the stream before the line.
type ExtentLine struct {
	Part Part    `json:"part"`
	Path string  `json:"path"`
	More Extents `json:"more"`
}

// MaxExtents bounds the extents of an extent line, about 100 KB of text.
const MaxExtents = 4096

// MaxLine bounds a line of the listing, in bytes. The longest possible line is a
// map line of a segment with pages of 512 bytes, each page in another place.
const MaxLine = 4 << 20

// Append appends the line as JSON and a newline.
func (l Line) Append(text []byte) ([]byte, error) {
	var v any = l.File
	switch {
	case l.File != nil && l.File.Folder:
		folder := *l.File
		folder.Missing = true // for older readers
		v = folder
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

// ErrListing means that a listing breaks docs/format.md.
var ErrListing = errors.New("the listing breaks the format")

// Lines yields the lines of a listing, and checks each line against the format:
// the order of paths, paths that stay inside their part, and sizes that agree
// with extents and maps. A broken rule is [ErrListing]; an error of r is
// wrapped. An error ends the sequence.
func Lines(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(make([]byte, 64<<10), MaxLine)
		scanner.Split(splitLines)
		var at position
		n := 1
		for ; scanner.Scan(); n++ {
			line, err := parseLine(scanner.Bytes(), &at)
			if err != nil {
				yield(Line{}, fmt.Errorf("read listing: line %d: %w: %w", n, ErrListing, remedy.Line(err)))
				return
			}
			if !yield(line, nil) {
				return
			}
		}
		if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) || errors.Is(err, io.ErrUnexpectedEOF) {
			yield(Line{}, fmt.Errorf("read listing: line %d: %w: %w", n, ErrListing, err))
		} else if err != nil {
			yield(Line{}, fmt.Errorf("read listing: %w", err))
		} else if err := at.checkComplete(); err != nil {
			yield(Line{}, fmt.Errorf("read listing: line %d: %w: %w", n, ErrListing, err))
		}
	}
}

// splitLines is [bufio.ScanLines] for a text whose last line needs a newline.
func splitLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

// parseLine reads one line and moves the position behind the line.
func parseLine(text []byte, at *position) (Line, error) {
	kinds, err := strict.Members(text, "runs", "more")
	if err != nil {
		return Line{}, err
	}
	switch {
	case kinds[0] != nil && kinds[1] != nil:
		return Line{}, errors.New("a line with runs and with more")
	case kinds[0] != nil:
		var m MapLine
		if err := json.Unmarshal(text, &m); err != nil {
			return Line{}, err
		}
		return Line{Map: &m}, m.validate(at.file)
	case kinds[1] != nil:
		var l ExtentLine
		if err := json.Unmarshal(text, &l); err != nil {
			return Line{}, err
		}
		return Line{Extents: &l}, at.addExtents(&l)
	}
	var f File
	if err := json.Unmarshal(text, &f); err != nil {
		return Line{}, err
	}
	err = at.moveTo(&f)
	if f.Folder {
		f.Missing = false
	}
	return Line{File: &f}, err
}

// position is a reader's place in a listing.
type position struct {
	file  *File // the last file, or nil
	lines int   // extent lines of file still to come
	bytes int64 // of file, in the extent lines still to come
	links links // links that the next path might lie below
	// marked is the path of Holdfast's configuration, or "" before that file.
	marked string
}

// moveTo checks that the last file is complete and that f may come next.
func (p *position) moveTo(f *File) error {
	if err := errors.Join(p.checkComplete(), f.validate(p.file)); err != nil {
		return err
	}
	links, err := p.links.next(p.file, f)
	if err != nil {
		return err
	}
	*p = position{file: f, links: links, marked: p.marked}
	if f.Holdfast && p.marked != "" {
		return fmt.Errorf("%s and %s are both marked as Holdfast's configuration", p.marked, f.Path)
	}
	if f.Holdfast {
		p.marked = f.Path
	}
	if f.Lines > 0 {
		p.lines, p.bytes = f.Lines, f.Size
	}
	return nil
}

// addExtents takes an extent line of the last file.
func (p *position) addExtents(l *ExtentLine) error {
	if p.lines == 0 || l.Part != p.file.Part || l.Path != p.file.Path {
		return errors.New("an extent line that the file before does not announce")
	}
	size, err := sumExtents(l.More)
	if err != nil {
		return err
	}
	p.lines, p.bytes = p.lines-1, p.bytes-size
	if p.bytes < 0 || p.lines == 0 && p.bytes > 0 {
		return fmt.Errorf("%d bytes too few or too many", p.bytes)
	}
	return nil
}

// checkComplete checks that the last file has all extent lines.
func (p *position) checkComplete() error {
	if p.lines != 0 || p.bytes != 0 {
		return fmt.Errorf("%s/%.100q lacks %d extent lines and %d bytes", p.file.Part, p.file.Path, p.lines, p.bytes)
	}
	return nil
}
