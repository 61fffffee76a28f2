package vault

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"holdfast/manifest/index"
	"holdfast/pack"
)

// spreader writes the bytes of packs to the files that they belong to. Each
// worker has its own.
type spreader struct {
	r      *restore
	reader *pack.Reader
	buf    []byte
	open   map[int64]*os.File
	files  map[int64]index.Planned
}

// maxOpen bounds the files that a worker holds open.
const maxOpen = 32

func newSpreader(r *restore) (*spreader, error) {
	reader, err := pack.NewReader()
	if err != nil {
		return nil, err
	}
	return &spreader{r: r, reader: reader, buf: make([]byte, pack.FrameSize), open: map[int64]*os.File{}}, nil
}

func (w *spreader) close() {
	for id, f := range w.open {
		f.Close()
		delete(w.open, id)
	}
}

// pack fetches one pack and spreads it.
func (w *spreader) pack(ctx context.Context, number uint32) error {
	pieces, files, err := w.r.plan.Pieces(number)
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	w.files = files
	return w.r.snap.fetch(ctx, number, w.reader, func(r *pack.Reader) error { return w.spread(r, pieces) })
}

// spread reads the pack window by window and writes to each piece the part of
// it that lies in the window. Pieces come by rising offset and may overlap: a
// chunk may belong to several files.
func (w *spreader) spread(r *pack.Reader, pieces []index.Piece) error {
	var at int64
	var current []index.Piece // that began and have not ended
	for len(pieces) > 0 || len(current) > 0 {
		if len(current) == 0 && pieces[0].Offset > at {
			if err := r.Skip(pieces[0].Offset - at); err != nil {
				return err
			}
			at = pieces[0].Offset
		}
		var end int64
		for len(pieces) > 0 && pieces[0].Offset < at+int64(len(w.buf)) {
			current, pieces = append(current, pieces[0]), pieces[1:]
		}
		for _, p := range current {
			end = max(end, p.Offset+p.Length)
		}
		window := w.buf[:min(int64(len(w.buf)), end-at)]
		if err := r.ReadFull(window); err != nil {
			return err
		}
		rest := current[:0]
		for _, p := range current {
			ended, err := w.write(p, window, at)
			if err != nil {
				return fmt.Errorf("restore %q: %w", w.files[p.File].Place, err)
			}
			if !ended {
				rest = append(rest, p)
			}
		}
		current = rest
		at += int64(len(window))
	}
	return nil
}

// write puts the piece's share of the window, which begins at the pack's byte
// at, into its file.
func (w *spreader) write(p index.Piece, window []byte, at int64) (ended bool, err error) {
	from, to := max(p.Offset, at), min(p.Offset+p.Length, at+int64(len(window)))
	planned := w.files[p.File]
	f, err := w.file(p.File, planned)
	if err != nil {
		return false, err
	}
	if _, err := f.WriteAt(window[from-at:to-at], p.At+from-p.Offset); err != nil {
		return false, err
	}
	w.r.cfg.Progress.did(0, to-from)
	if to < p.Offset+p.Length {
		return false, nil
	}
	if planned.Pieces != 1 {
		return true, nil
	}
	return true, w.finish(p.File, f, planned)
}

// finish gives a file that one piece filled its size, mode and time.
func (w *spreader) finish(id int64, f *os.File, planned index.Planned) error {
	delete(w.open, id)
	if err := f.Truncate(planned.Size); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(fs.FileMode(planned.Mode)); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	w.r.cfg.Progress.did(1, 0)
	return w.r.tree.Chtimes(planned.Place, planned.Modified, planned.Modified)
}

func (w *spreader) file(id int64, planned index.Planned) (*os.File, error) {
	if f := w.open[id]; f != nil {
		return f, nil
	}
	if len(w.open) >= maxOpen {
		w.close()
	}
	f, err := createIn(w.r.tree, planned.Place)
	if err != nil {
		return nil, err
	}
	w.open[id] = f
	return f, nil
}
