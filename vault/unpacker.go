package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"os"

	"holdfast/disk"
	"holdfast/pack"
)

// unpacker writes the bytes of packs to files. Each worker owns an unpacker.
type unpacker struct {
	r      *restore
	reader *pack.Reader
	window []byte
	open   map[int64]*os.File    // by file number
	files  map[int64]plannedFile // of the current pack
	sums   map[int64]hash.Hash   // of the bytes so far, by file number: files of a single piece
	wrong  bool                  // a file of the current pack has other bytes than the listing says
}

// maxOpen limits the files that an unpacker holds open.
const maxOpen = 32

func newUnpacker(r *restore) (*unpacker, error) {
	reader, err := pack.NewReader()
	if err != nil {
		return nil, err
	}
	return &unpacker{r: r, reader: reader, window: make([]byte, pack.FrameSize),
		open: map[int64]*os.File{}, sums: map[int64]hash.Hash{}}, nil
}

func (u *unpacker) close() {
	for id, f := range u.open {
		f.Close()
		delete(u.open, id)
	}
}

// unpack fetches a pack and writes its pieces.
func (u *unpacker) unpack(ctx context.Context, number uint32) error {
	pieces, files, err := u.r.plan.pieces(number)
	if err != nil {
		return err
	}
	u.files, u.wrong = files, false
	f, err := u.r.snap.fetchPack(number, u.reader)
	if err != nil {
		return err
	}
	for f.next(ctx) {
		f.done(u.write(pieces))
	}
	if err := f.end(ctx); err != nil {
		return err
	}
	if u.wrong {
		return errOtherBytes
	}
	return nil
}

// write reads the pack window by window, and writes the share of each piece in
// the window. Pieces are sorted by offset and may overlap: a chunk may belong
// to several files.
func (u *unpacker) write(pieces []piece) error {
	clear(u.sums) // an earlier try may have stopped within a file
	var at int64
	var current []piece // begun and not ended
	for len(pieces) > 0 || len(current) > 0 {
		if len(current) == 0 && pieces[0].offset > at {
			if err := u.reader.Skip(pieces[0].offset - at); err != nil {
				return err
			}
			at = pieces[0].offset
		}
		for len(pieces) > 0 && pieces[0].offset < at+int64(len(u.window)) {
			current, pieces = append(current, pieces[0]), pieces[1:]
		}
		var end int64
		for _, p := range current {
			end = max(end, p.offset+p.length)
		}
		window := u.window[:min(int64(len(u.window)), end-at)]
		if err := u.reader.ReadFull(window); err != nil {
			return err
		}
		rest := current[:0]
		for _, p := range current {
			if err := u.writePiece(p, window, at); err != nil {
				return fmt.Errorf("restore %q: %w", u.files[p.file].path, err)
			}
			if p.offset+p.length > at+int64(len(window)) {
				rest = append(rest, p)
			}
		}
		current = rest
		at += int64(len(window))
	}
	return nil
}

// writePiece writes the share of a piece in a window. at is the pack offset of
// the window. The last byte completes a file of a single piece.
func (u *unpacker) writePiece(p piece, window []byte, at int64) error {
	from, to := max(p.offset, at), min(p.offset+p.length, at+int64(len(window)))
	planned := u.files[p.file]
	f, err := u.file(p.file, planned.path)
	if err != nil {
		return err
	}
	if err := disk.WriteSparse(f, window[from-at:to-at], p.at+from-p.offset); err != nil {
		return err
	}
	u.r.cfg.Progress.did(0, to-from)
	if !planned.single {
		return nil
	}
	sum := u.sum(p.file)
	sum.Write(window[from-at : to-at])
	if to < p.offset+p.length {
		return nil
	}
	delete(u.sums, p.file)
	delete(u.open, p.file)
	u.r.cfg.Progress.did(1, 0)
	if !bytes.Equal(sum.Sum(nil), planned.sum) {
		u.wrong = true
		u.r.otherBytes(planned)
	}
	return u.r.complete(f, planned)
}

// sum returns the hash of a file of a single piece, whose bytes arrive in order.
func (u *unpacker) sum(file int64) hash.Hash {
	if u.sums[file] == nil {
		u.sums[file] = sha256.New()
	}
	return u.sums[file]
}

// file returns an open file of the staging folder.
func (u *unpacker) file(id int64, path string) (*os.File, error) {
	if f := u.open[id]; f != nil {
		return f, nil
	}
	if len(u.open) >= maxOpen {
		u.close()
	}
	f, err := createIn(u.r.tree, path)
	if err != nil {
		return nil, err
	}
	u.open[id] = f
	return f, nil
}
