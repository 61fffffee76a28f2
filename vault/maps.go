package vault

import (
	"errors"
	"fmt"

	"holdfast/manifest"
	"holdfast/manifest/index"
)

// foldEvery is the number of nights after which the map lines of a segment
// become a single line again.
const foldEvery = 32

// pages writes the lines of a file of pages.
func (w *listingWriter) pages(p *pagedFile) error {
	if err := w.line(manifest.Line{File: &p.file}); err != nil {
		return err
	}
	w.count(manifest.Database, p.file.Size)
	before, err := w.b.idx.Trail(p.file.Path, p.file.PageSize)
	if err != nil {
		return err
	}
	defer before.Close()
	table := make([]manifest.PageAt, manifest.SegmentSize/p.file.PageSize)
	for segment := range p.file.Segments() {
		if err := w.segment(p, before, table, segment); err != nil {
			return err
		}
	}
	return nil
}

// segment writes the map lines of earlier nights, and a line for the pages that
// moved since. Every foldEvery nights, a base line with all pages replaces the
// lines of a segment. Segments fold in different nights: no night pays for all
// segments.
func (w *listingWriter) segment(p *pagedFile, before *index.Trail, table []manifest.PageAt, segment int) error {
	lines, err := w.b.idx.Maps(p.file.Path, segment)
	if err != nil {
		return err
	}
	night := w.b.repo.Head().Sequence + 1
	m := manifest.MapLine{Part: manifest.Database, Path: p.file.Path, Segment: segment, Night: night}
	m.Base = len(lines) == 0 || (night+int64(segment))%foldEvery == 0 || before == nil || !w.usable(lines, night)
	if m.Base {
		lines, before = nil, nil // without a trail every page counts as moved
	}
	if err := w.moved(p, before, table, segment); err != nil {
		return err
	}
	for _, old := range lines {
		if err := w.write(old.Line); err != nil {
			return err
		}
	}
	if m.Runs = manifest.MapRuns(table, p.file.PageSize); len(m.Runs) == 0 {
		return nil
	}
	if err := w.line(manifest.Line{Map: &m}); err != nil {
		return err
	}
	return w.b.idx.AddMap(p.file.Path, &m)
}

// usable reports whether earlier map lines may stay: all their packs are known,
// and no line is from this night. A run that died before its record may have
// left lines from this night.
func (w *listingWriter) usable(lines []index.MapLine, night int64) bool {
	for _, m := range lines {
		if m.Night >= night {
			return false
		}
		for _, n := range m.Packs {
			if _, ok := w.known[n]; !ok {
				return false
			}
		}
	}
	return true
}

// moved fills the table with the pages of a segment that moved since the trail
// before.
func (w *listingWriter) moved(p *pagedFile, before *index.Trail, table []manifest.PageAt, segment int) error {
	clear(table)
	var old, entries [index.BlockPages]index.Entry
	first := int64(segment) * int64(len(table))
	for at, pages := int64(0), int64(p.file.Pages(segment)); at < pages; at += index.BlockPages {
		block := (first + at) / index.BlockPages
		if err := errors.Join(p.trail.Read(block, &entries), before.Read(block, &old)); err != nil {
			return err
		}
		for i, e := range entries[:min(index.BlockPages, pages-at)] {
			if e.Pack == 0 {
				return fmt.Errorf("write listing: the trail is damaged: page %d of %q lies nowhere",
					first+at+int64(i)+1, p.file.Path)
			}
			w.needs[e.Pack] = true
			if e.Pack != old[i].Pack || e.Offset != old[i].Offset {
				table[at+int64(i)] = manifest.PageAt{Pack: e.Pack, Offset: int64(e.Offset)}
			}
		}
	}
	return nil
}
