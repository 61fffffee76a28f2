package vault

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"holdfast/chunking"
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// listing collects what a snapshot consists of, in files of the state folder:
// the memory does not grow with the instance.
type listing struct {
	b   *backup
	rec *manifest.Record

	media   *os.File // the wanted paths, a line each, in byte order
	mediaN  int64
	invalid []string        // keys of rows that no file can have
	files   []string        // the wanted paths of the files part: a handful
	gone    map[string]bool // wanted and not there; true: counts as missing
	paged   []paged
	streams []*stream
	needs   map[uint32]bool // packs that the snapshot's files need
	text    *os.File        // the listing itself
	out     *bufio.Writer
}

// paged is a file of pages that was stored, and its new trail.
type paged struct {
	file  manifest.File
	trail *index.Trail
}

func (b *backup) newListing(rec *manifest.Record) (l *listing, err error) {
	l = &listing{b: b, rec: rec, gone: map[string]bool{}, needs: map[uint32]bool{}}
	if l.media, err = Scratch(b.cfg.State); err != nil {
		return nil, err
	}
	if l.text, err = Scratch(b.cfg.State); err != nil {
		return nil, errors.Join(err, l.media.Close())
	}
	l.out = bufio.NewWriterSize(l.text, 64<<10)
	return l, nil
}

// Scratch is a file of mode 0600 in a folder, for this process alone: it is gone
// when it is closed, and when the process ends. It never has a name, where
// the file system can do that: nothing is left even by a kill in between.
func Scratch(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err == nil {
		return f, nil
	}
	f, err = os.CreateTemp(dir, "scratch-*")
	if err != nil {
		return nil, fmt.Errorf("make scratch file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (l *listing) close() {
	l.closePass()
	l.media.Close()
	l.text.Close()
}

// closePass lets go of the files of a pass over the database.
func (l *listing) closePass() {
	for _, p := range l.paged {
		p.trail.Close()
	}
	for _, s := range l.streams {
		s.close()
	}
	l.paged, l.streams = nil, nil
}

// reset forgets an earlier pass.
func (l *listing) reset() {
	l.closePass()
	l.mediaN, l.invalid, l.rec.Read = 0, nil, 0
}

// want notes the media that the view names.
func (l *listing) want(paths iter.Seq2[string, error]) error {
	if err := l.media.Truncate(0); err != nil {
		return fmt.Errorf("note media: %w", err)
	}
	if _, err := l.media.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("note media: %w", err)
	}
	w := bufio.NewWriter(l.media)
	for path, err := range paths {
		if err != nil {
			return fmt.Errorf("list media: %w: %w", ErrSource, err)
		}
		if !manifest.ValidPath(path) {
			l.invalid = append(l.invalid, fmt.Sprintf("%q (no path of a file; a row of media_attachments or emojis has it)", path))
			continue
		}
		w.WriteString(path)
		w.WriteByte('\n')
		l.mediaN++
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("note media: %w", err)
	}
	return nil
}

// paths yields the wanted paths of a part in byte order.
func (l *listing) paths(part manifest.Part) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if part == manifest.Files {
			for _, p := range l.files {
				if !yield(p, nil) {
					return
				}
			}
			return
		}
		if _, err := l.media.Seek(0, io.SeekStart); err != nil {
			yield("", err)
			return
		}
		lines := bufio.NewScanner(l.media)
		for lines.Scan() {
			if !yield(lines.Text(), nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield("", err)
		}
	}
}

// finish writes the listing, stores it, and fills the record with what it
// needs. Everything is in the remote when it returns.
func (l *listing) finish(ctx context.Context) (index.Snapshot, error) {
	l.b.cfg.Progress.begin("listing", 0, 0)
	snap := index.Snapshot{Trails: map[string]string{}}
	// What fillers sent is in the index by now, pending or stored.
	known, err := l.b.packs()
	if err != nil {
		return snap, err
	}
	if err := l.b.idx.BeginMaps(); err != nil {
		return snap, err
	}
	for _, p := range l.paged {
		if err := l.pages(p, known); err != nil {
			return snap, err
		}
		if err := p.trail.Sync(); err != nil {
			return snap, fmt.Errorf("sync trail: %w", err)
		}
		snap.Trails[p.file.Path] = p.trail.Name()
	}
	for _, s := range l.streams {
		if err := l.stream(s); err != nil {
			return snap, err
		}
	}
	for _, part := range []manifest.Part{manifest.Files, manifest.Media} {
		if err := l.lines(part); err != nil {
			return snap, err
		}
	}
	if err := l.out.Flush(); err != nil {
		return snap, fmt.Errorf("write listing: %w", err)
	}
	if err := l.store(ctx); err != nil {
		return snap, err
	}
	if err := l.b.ship.drain(ctx); err != nil {
		return snap, err
	}
	l.rec.Missing = int64(len(l.b.report.Missing))
	l.rec.Read += l.b.readBytes.Load()
	l.b.report.NewFiles = l.b.read.Load()
	return snap, l.inventory(&snap)
}

// inventory fills the record's packs.
func (l *listing) inventory(snap *index.Snapshot) error {
	known, err := l.b.packs()
	if err != nil {
		return err
	}
	l.rec.Packs = map[manifest.Part][]manifest.Pack{}
	for number := range l.needs {
		p, ok := known[number]
		if !ok {
			return fmt.Errorf("write record: pack %d is needed and not known", number)
		}
		l.rec.Packs[p.Part] = append(l.rec.Packs[p.Part], p.Pack)
		snap.Packs = append(snap.Packs, number)
	}
	for _, packs := range l.rec.Packs {
		slices.SortFunc(packs, func(a, b manifest.Pack) int { return int(a.Number) - int(b.Number) })
	}
	return nil
}

func (l *listing) count(part manifest.Part, size int64) {
	t := l.rec.Parts[part]
	t.Files++
	t.Bytes += size
	l.rec.Parts[part] = t
}

func (l *listing) write(line []byte) error {
	if _, err := l.out.Write(line); err != nil {
		return fmt.Errorf("write listing: %w", err)
	}
	return nil
}

// stream writes the lines of a stream.
func (l *listing) stream(s *stream) error {
	line, err := manifest.Line{File: &s.file}.Append(nil)
	if err := errors.Join(err, l.write(line)); err != nil {
		return err
	}
	if err := s.copyTo(l.out); err != nil {
		return fmt.Errorf("write listing: %w", err)
	}
	maps.Copy(l.needs, s.needs)
	l.count(manifest.Database, s.file.Size)
	l.rec.Read += s.file.Size
	return nil
}

// lines writes the wanted files of a part, as the index knows them.
func (l *listing) lines(part manifest.Part) error {
	next, stop := iter.Pull2(l.b.idx.Files(part))
	defer stop()
	row, err, more := next()
	var stale []string // known, and not wanted any more
	for path, pathErr := range l.paths(part) {
		if pathErr != nil {
			return fmt.Errorf("write listing: %w", pathErr)
		}
		if missing, ok := l.gone[path]; ok {
			if missing {
				line, err := manifest.Line{File: &manifest.File{Part: part, Path: path, Missing: true}}.Append(nil)
				if err := errors.Join(err, l.write(line)); err != nil {
					return err
				}
			}
			continue
		}
		for more && err == nil && row.Path < path {
			stale = append(stale, row.Path)
			row, err, more = next()
		}
		if err != nil {
			return err
		}
		if !more || row.Path != path {
			return fmt.Errorf("write listing: %s %q was stored and the index does not know it", part, path)
		}
		if err := l.write(row.Line); err != nil {
			return err
		}
		for _, n := range row.Packs {
			l.needs[n] = true
		}
		l.count(part, row.Size)
		row, err, more = next()
	}
	for ; more && err == nil; row, err, more = next() {
		stale = append(stale, row.Path)
	}
	if err != nil {
		return err
	}
	return l.b.idx.ForgetFiles(part, stale)
}

// foldEvery is after how many nights a segment's map lines become one again.
const foldEvery = 32

// pages writes a paged file and where its pages lie: the lines of earlier nights
// as they were, and one for this night's pages. Each segment has its own night
// to be folded, so that no night pays for all.
func (l *listing) pages(p paged, known map[uint32]index.Pack) error {
	line, err := manifest.Line{File: &p.file}.Append(nil)
	if err := errors.Join(err, l.write(line)); err != nil {
		return err
	}
	l.count(manifest.Database, p.file.Size)
	before, err := l.b.idx.Trail(p.file.Path, p.file.PageSize)
	if err != nil {
		return err
	}
	defer before.Close()
	table := make([]manifest.PageAt, manifest.SegmentSize/p.file.PageSize)
	night := l.b.repo.Head().Sequence + 1
	for segment := range p.file.Segments() {
		lines, err := l.b.idx.Maps(p.file.Path, segment)
		if err != nil {
			return err
		}
		m := manifest.MapLine{Part: manifest.Database, Path: p.file.Path, Segment: segment, Night: night}
		m.Base = len(lines) == 0 || (night+int64(segment))%foldEvery == 0 || before == nil || !usable(lines, known, night)
		if m.Base {
			lines = nil
		}
		if err := l.segment(p, before, table, segment, m.Base); err != nil {
			return err
		}
		for _, old := range lines {
			if err := l.write(old.Line); err != nil {
				return err
			}
		}
		if m.Runs = manifest.MapRuns(table, p.file.PageSize); len(m.Runs) == 0 {
			continue
		}
		if line, err = (manifest.Line{Map: &m}).Append(line[:0]); err != nil {
			return err
		}
		if err := l.write(line); err != nil {
			return err
		}
		if err := l.b.idx.AddMap(p.file.Path, &m); err != nil {
			return err
		}
	}
	return nil
}

// usable reports whether earlier lines can stand: their packs are there, and
// none is of this night, which a run that died before its record may have left.
func usable(lines []index.MapLine, known map[uint32]index.Pack, night int64) bool {
	for _, m := range lines {
		if m.Night >= night {
			return false
		}
		for _, n := range m.Packs {
			if _, ok := known[n]; !ok {
				return false
			}
		}
	}
	return true
}

// segment fills the table with the segment's pages: all of them for a base
// line, else those that lie elsewhere than the snapshot before said.
func (l *listing) segment(p paged, before *index.Trail, table []manifest.PageAt, segment int, all bool) error {
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
				return fmt.Errorf("write listing: page %d of %q has no place: the trail is damaged", first+at+int64(i)+1, p.file.Path)
			}
			l.needs[e.Pack] = true
			if all || e.Pack != old[i].Pack || e.Offset != old[i].Offset {
				table[at+int64(i)] = manifest.PageAt{Pack: e.Pack, Offset: int64(e.Offset)}
			}
		}
	}
	return nil
}

// store cuts the listing, stores the chunks that are new, and notes in the
// record where it lies.
func (l *listing) store(ctx context.Context) error {
	size, err := l.text.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("store listing: %w", err)
	}
	if _, err := l.text.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("store listing: %w", err)
	}
	fill, err := l.b.newFiller(manifest.Listing)
	if err != nil {
		return err
	}
	whole := sha256.New()
	at := &manifest.ListingAt{}
	for e, err := range fill.cut(ctx, l.text, chunking.Lines, whole) {
		if err != nil {
			return fmt.Errorf("store listing: %w", err)
		}
		at.Size += e.Length
		at.Extents = join(at.Extents, e)
		l.needs[e.Pack] = true
	}
	if err := fill.end(ctx); err != nil {
		return err
	}
	if at.Size != size {
		return fmt.Errorf("store listing: %d bytes were written and %d read", size, at.Size)
	}
	at.SHA256 = manifest.Hash(whole.Sum(nil))
	l.rec.ListingAt = at
	return nil
}
