package vault

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"holdfast/chunking"
	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/manifest/index"
)

// listingWriter writes the listing of a snapshot to a file of the state folder.
type listingWriter struct {
	b     *backup
	known map[uint32]index.Pack // packs that a line may name
	text  *os.File
	out   *bufio.Writer

	needs map[uint32]bool                  // packs that the lines name
	parts map[manifest.Part]manifest.Total // of the files so far
}

// listing writes and stores the listing, and fills the record with the parts,
// the packs and the listing's extents. When listing returns, every object of
// the record is in the remote.
func (b *backup) listing(ctx context.Context) error {
	b.cfg.Progress.begin("listing", 0, 0)
	text, err := disk.Scratch(b.cfg.State)
	if err != nil {
		return err
	}
	defer text.Close()
	w := &listingWriter{
		b: b, text: text, out: bufio.NewWriterSize(text, 64<<10),
		needs: map[uint32]bool{}, parts: map[manifest.Part]manifest.Total{},
	}
	// Packs of this run are in the index by now, pending or stored.
	if w.known, err = b.packs(); err != nil {
		return err
	}
	if err := w.database(); err != nil {
		return err
	}
	for _, part := range []manifest.Part{manifest.Files, manifest.Media} {
		if err := w.files(part); err != nil {
			return err
		}
	}
	if b.rec.ListingAt, err = w.store(ctx); err != nil {
		return err
	}
	if err := b.ship.drain(ctx); err != nil {
		return err
	}
	b.rec.Parts = w.parts
	b.rec.Missing = int64(len(b.report.Missing) + len(b.report.Mixed))
	b.rec.Read = w.parts[manifest.Database].Bytes + b.readBytes.Load()
	b.report.NewFiles = b.read.Load()
	return b.inventory(w.needs)
}

// inventory fills the record's packs.
func (b *backup) inventory(needs map[uint32]bool) error {
	known, err := b.packs()
	if err != nil {
		return err
	}
	b.rec.Packs = map[manifest.Part][]manifest.Pack{}
	for number := range needs {
		p, ok := known[number]
		if !ok {
			return fmt.Errorf("write record: the index does not know pack %d, which the listing names", number)
		}
		b.rec.Packs[p.Part] = append(b.rec.Packs[p.Part], p.Pack)
		b.snap.Packs = append(b.snap.Packs, number)
	}
	for _, packs := range b.rec.Packs {
		slices.SortFunc(packs, func(a, b manifest.Pack) int { return int(a.Number) - int(b.Number) })
	}
	return nil
}

func (w *listingWriter) count(part manifest.Part, size int64) {
	t := w.parts[part]
	w.parts[part] = manifest.Total{Files: t.Files + 1, Bytes: t.Bytes + size}
}

// line writes a line.
func (w *listingWriter) line(line manifest.Line) error {
	text, err := line.Append(nil)
	if err != nil {
		return fmt.Errorf("write listing: %w", err)
	}
	return w.write(text)
}

// write writes the text of a line.
func (w *listingWriter) write(text []byte) error {
	if _, err := w.out.Write(text); err != nil {
		return fmt.Errorf("write listing: %w", err)
	}
	return nil
}

// database writes the lines of the database part, and makes the trails durable.
func (w *listingWriter) database() error {
	if err := w.b.idx.BeginMaps(); err != nil {
		return err
	}
	for _, p := range w.b.found.paged {
		if err := w.pages(p); err != nil {
			return err
		}
		if err := p.trail.Sync(); err != nil {
			return fmt.Errorf("sync trail: %w", err)
		}
		w.b.snap.Trails[p.file.Path] = p.trail.Name()
	}
	for _, s := range w.b.found.streams {
		if err := w.line(manifest.Line{File: &s.file}); err != nil {
			return err
		}
		if err := s.copyLines(w.out); err != nil {
			return fmt.Errorf("write listing: %w", err)
		}
		maps.Copy(w.needs, s.packs)
		w.count(manifest.Database, s.file.Size)
	}
	return nil
}

// files writes the lines of files or media, as the index has them.
func (w *listingWriter) files(part manifest.Part) error {
	var stale []string // in the index alone
	rows := join(w.b.found.paths(part), w.b.idx.Files(part), func(path string, row index.File) int {
		return strings.Compare(path, row.Path)
	})
	for pair, err := range rows {
		if err != nil {
			return fmt.Errorf("write listing: %w", err)
		}
		path, row := pair.a, pair.b
		missing, unread := w.b.found.unread[path]
		switch {
		case !pair.inA:
			stale = append(stale, row.Path)
			continue
		case unread && pair.inB:
			stale = append(stale, row.Path)
		case !unread && !pair.inB:
			return fmt.Errorf("write listing: the index does not know %s %q, which was stored", part, path)
		}
		switch {
		case unread && missing:
			err = w.line(manifest.Line{File: &manifest.File{Part: part, Path: path, Missing: true}})
		case !unread:
			err = w.write(row.Line)
			for _, n := range row.Packs {
				w.needs[n] = true
			}
			if !row.IsFolder() {
				w.count(part, row.Size)
			}
		}
		if err != nil {
			return err
		}
	}
	return w.b.idx.ForgetFiles(part, stale)
}

// store stores the new chunks of the listing, and returns the listing's
// extents.
func (w *listingWriter) store(ctx context.Context) (*manifest.ListingAt, error) {
	if err := w.out.Flush(); err != nil {
		return nil, fmt.Errorf("write listing: %w", err)
	}
	size, err := w.text.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("store listing: %w", err)
	}
	if _, err := w.text.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("store listing: %w", err)
	}
	p, err := newPacker(w.b.ship, manifest.Listing)
	if err != nil {
		return nil, err
	}
	s := &stream{packs: w.needs}
	if err := p.stream(ctx, io.NopCloser(w.text), chunking.Lines, s, nil); err != nil {
		return nil, fmt.Errorf("store listing: %w", err)
	}
	if err := p.close(ctx); err != nil {
		return nil, err
	}
	if s.file.Size != size {
		return nil, fmt.Errorf("store listing: wrote %d bytes and read %d", size, s.file.Size)
	}
	return &manifest.ListingAt{Size: size, SHA256: *s.file.SHA256, Extents: s.file.Extents}, nil
}
