package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/manifest"
)

// Sum is the first half of a page's SHA-256.
type Sum [16]byte

// Entry is what the trail knows of a page: its sum and where it lies. Pack 0
// means that nothing is known.
type Entry struct {
	Sum    Sum
	Pack   uint32
	Offset uint32
}

const (
	// BlockPages is how many pages share a block of the trail: one frame of a
	// pack at the usual page size.
	BlockPages = 64

	entrySize  = 24
	blockSize  = BlockPages*entrySize + 4 // its CRC-32C comes last
	trailHead  = 16                       // "HFTRAIL1", page size, zero
	trailMagic = "HFTRAIL1"
)

// Trail is what a paged file was when it was last read, page by page, as a flat
// file beside the index. The backup reads along it, so that a page costs no
// look-up. A block whose checksum is wrong reads as unknown: the pages are
// stored again, never wrongly found.
//
// Blocks may be read and written concurrently.
type Trail struct {
	f        *os.File
	pageSize int
}

// CreateTrail makes a new trail beside the index, for Commit to adopt.
func (x *Index) CreateTrail(pageSize int) (*Trail, error) {
	f, err := os.CreateTemp(filepath.Join(x.dir, "trail"), "*")
	if err != nil {
		return nil, fmt.Errorf("create trail: %w", err)
	}
	head := binary.LittleEndian.AppendUint32([]byte(trailMagic), uint32(pageSize))
	if _, err := f.WriteAt(append(head, 0, 0, 0, 0), 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("create trail: %w", err)
	}
	return &Trail{f, pageSize}, nil
}

// Trail opens the newest snapshot's trail of a paged file. Where there is none
// of this page size, it is nil, which reads as unknown.
func (x *Index) Trail(path string, pageSize int) (*Trail, error) {
	name, err := x.fact("trail " + path)
	if err != nil || name == nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(x.dir, "trail", filepath.Base(string(name))))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // a trail that is lost, or another user's, costs an upload, not the backup
	}
	if err != nil {
		return nil, fmt.Errorf("open trail: %w", err)
	}
	head := make([]byte, trailHead)
	if _, err := io.ReadFull(f, head); err != nil || string(head[:8]) != trailMagic || binary.LittleEndian.Uint32(head[8:]) != uint32(pageSize) {
		f.Close()
		return nil, nil
	}
	return &Trail{f, pageSize}, nil
}

// Name is the trail's file.
func (t *Trail) Name() string { return t.f.Name() }

// Sync makes the trail durable.
func (t *Trail) Sync() error { return t.f.Sync() }

// Close closes the file. A nil trail may be closed.
func (t *Trail) Close() error {
	if t == nil {
		return nil
	}
	return t.f.Close()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Read fills the block with what the trail knows of the pages from
// block*BlockPages on. A nil trail knows nothing.
func (t *Trail) Read(block int64, entries *[BlockPages]Entry) error {
	*entries = [BlockPages]Entry{}
	if t == nil {
		return nil
	}
	var raw [blockSize]byte
	if _, err := t.f.ReadAt(raw[:], trailHead+block*blockSize); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("read trail: %w", err)
	}
	if crc32.Checksum(raw[:blockSize-4], castagnoli) != binary.LittleEndian.Uint32(raw[blockSize-4:]) {
		return nil
	}
	for i := range entries {
		e := raw[i*entrySize:]
		copy(entries[i].Sum[:], e)
		entries[i].Pack = binary.LittleEndian.Uint32(e[16:])
		entries[i].Offset = binary.LittleEndian.Uint32(e[20:])
	}
	return nil
}

// Write sets a block.
func (t *Trail) Write(block int64, entries *[BlockPages]Entry) error {
	var raw [blockSize]byte
	for i := range entries {
		e := raw[i*entrySize:]
		copy(e, entries[i].Sum[:])
		binary.LittleEndian.PutUint32(e[16:], entries[i].Pack)
		binary.LittleEndian.PutUint32(e[20:], entries[i].Offset)
	}
	binary.LittleEndian.PutUint32(raw[blockSize-4:], crc32.Checksum(raw[:blockSize-4], castagnoli))
	if _, err := t.f.WriteAt(raw[:], trailHead+block*blockSize); err != nil {
		return fmt.Errorf("write trail: %w", err)
	}
	return nil
}

// Resume returns what is known of a paged file, with the pages of packs that
// came after it laid over the newest snapshot's trail: those of a run that
// died, or of an earlier pass. Where there are no such packs it is the
// snapshot's trail itself. The caller closes it.
func (x *Index) Resume(path string, pageSize int) (*Trail, error) {
	base, err := x.Trail(path, pageSize)
	if err != nil {
		return nil, err
	}
	numbers, err := x.uncommitted()
	if err != nil || len(numbers) == 0 {
		return base, err
	}
	defer base.Close()
	over, err := x.CreateTrail(pageSize)
	if err != nil {
		return nil, err
	}
	if base != nil {
		if _, err := base.f.Seek(trailHead, io.SeekStart); err != nil {
			return nil, errors.Join(fmt.Errorf("resume trail: %w", err), over.Close())
		}
		if _, err := over.f.Seek(trailHead, io.SeekStart); err != nil {
			return nil, errors.Join(fmt.Errorf("resume trail: %w", err), over.Close())
		}
		if _, err := io.Copy(over.f, base.f); err != nil {
			return nil, errors.Join(fmt.Errorf("resume trail: %w", err), over.Close())
		}
	}
	for _, n := range numbers {
		if err := x.lay(over, path, n); err != nil {
			return nil, errors.Join(err, over.Close())
		}
	}
	return over, nil
}

// uncommitted lists the packs whose pages are not in a snapshot's trail yet, in
// order.
func (x *Index) uncommitted() ([]uint32, error) {
	rows, err := x.db.Query(`SELECT number FROM packs WHERE pages IS NOT NULL ORDER BY number`)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	defer rows.Close()
	var out []uint32
	for rows.Next() {
		var n uint32
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("read index: %w", err)
		}
		out = append(out, n)
	}
	return out, rows.Err()
}

// lay writes the pages of one pack into the trail, if they are the file's.
func (x *Index) lay(t *Trail, path string, number uint32) error {
	var raw []byte
	if err := x.db.QueryRow(`SELECT pages FROM packs WHERE number=?`, number).Scan(&raw); err != nil {
		return fmt.Errorf("read index: %w", err)
	}
	of, pageSize, pages, err := parsePages(raw)
	if err != nil {
		return fmt.Errorf("read index: pages of pack %d: %w", number, err)
	}
	if of != path || pageSize != t.pageSize {
		return nil
	}
	var entries [BlockPages]Entry
	at := int64(-1)
	for i, p := range pages {
		if block := p.Number / BlockPages; block != at {
			if at >= 0 {
				if err := t.Write(at, &entries); err != nil {
					return err
				}
			}
			if err := t.Read(block, &entries); err != nil {
				return err
			}
			at = block
		}
		entries[p.Number%BlockPages] = Entry{p.Sum, number, uint32(i * pageSize)}
	}
	if at < 0 {
		return nil
	}
	return t.Write(at, &entries)
}

// pages is the row's form: the path, the page size, then of each page the gap
// to the one before and the sum.
func (c Contents) pages() []byte {
	if len(c.Pages) == 0 {
		return nil
	}
	out := binary.AppendUvarint(nil, uint64(len(c.Path)))
	out = append(out, c.Path...)
	out = binary.AppendUvarint(out, uint64(c.PageSize))
	last := int64(0)
	for _, p := range c.Pages {
		out = binary.AppendUvarint(out, uint64(p.Number-last))
		out = append(out, p.Sum[:]...)
		last = p.Number
	}
	return out
}

// errMalformed is about a row that nobody but a damaged disk writes.
var errMalformed = errors.New("malformed")

func parsePages(raw []byte) (path string, pageSize int, pages []Page, err error) {
	n, k := binary.Uvarint(raw)
	if k <= 0 || uint64(len(raw)-k) < n {
		return "", 0, nil, errMalformed
	}
	path, raw = string(raw[k:k+int(n)]), raw[k+int(n):]
	n, k = binary.Uvarint(raw)
	if k <= 0 {
		return "", 0, nil, errMalformed
	}
	pageSize, raw = int(n), raw[k:]
	last := int64(0)
	for len(raw) > 0 {
		n, k = binary.Uvarint(raw)
		if k <= 0 || len(raw) < k+len(Sum{}) {
			return "", 0, nil, errMalformed
		}
		last += int64(n)
		pages = append(pages, Page{last, Sum(raw[k : k+len(Sum{})])})
		raw = raw[k+len(Sum{}):]
	}
	return path, pageSize, pages, nil
}

// SumOf is the trail's sum of a page's SHA-256.
func SumOf(h manifest.Hash) Sum { return Sum(h[:16]) }
