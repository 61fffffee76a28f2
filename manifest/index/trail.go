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
)

// Trail holds the sum and the place of each page of a paged file, in the order
// of the file, in a flat file beside the index. A backup reads the trail beside
// the paged file, without a look-up for each page. A block with a wrong checksum
// reads as unknown: the backup then stores the pages again.
//
// Goroutines may read and write different blocks at the same time.
type Trail struct {
	f        *os.File
	pageSize int
}

// Entry is the trail's knowledge of a page. Pack 0 means an unknown page.
type Entry struct {
	Sum    Sum
	Pack   uint32
	Offset uint32 // in the pack's decompressed bytes
}

const (
	// BlockPages is the number of pages in a block of the trail: a frame of a pack
	// at the usual page size.
	BlockPages = 64

	entrySize  = 24
	blockSize  = BlockPages*entrySize + 4 // its CRC-32C comes last
	trailHead  = 16                       // "HFTRAIL1", page size, zero
	trailMagic = "HFTRAIL1"
)

// CreateTrail makes a new trail beside the index, for [Index.Commit].
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

// Trail opens the newest snapshot's trail of a paged file. The trail is nil if
// the index has no readable trail of the page size. A nil trail reads as unknown.
func (x *Index) Trail(path string, pageSize int) (*Trail, error) {
	name, err := x.fact("trail " + path)
	if err != nil || name == nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(x.dir, "trail", filepath.Base(string(name))))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // a lost or unreadable trail costs an upload, not the backup
	}
	if err != nil {
		return nil, fmt.Errorf("open trail: %w", err)
	}
	head := make([]byte, trailHead)
	_, err = io.ReadFull(f, head)
	if err != nil || string(head[:8]) != trailMagic || binary.LittleEndian.Uint32(head[8:]) != uint32(pageSize) {
		f.Close()
		return nil, nil
	}
	return &Trail{f, pageSize}, nil
}

// Name returns the path of the trail's file.
func (t *Trail) Name() string { return t.f.Name() }

// Sync makes the trail durable.
func (t *Trail) Sync() error { return t.f.Sync() }

// Close closes the file. Close of a nil trail does nothing.
func (t *Trail) Close() error {
	if t == nil {
		return nil
	}
	return t.f.Close()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Read reads the entries of BlockPages pages. The first page is block*BlockPages.
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

// Write writes the entries of BlockPages pages. The first page is
// block*BlockPages.
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

// Resume returns the newest snapshot's trail of a paged file, plus the pages of
// later packs, from a killed run or an earlier transaction of the same run. The
// caller closes the trail.
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
		if err := x.addPages(over, path, n); err != nil {
			return nil, errors.Join(err, over.Close())
		}
	}
	return over, nil
}

// uncommitted returns the packs whose pages are not in the newest snapshot's
// trail yet, by number.
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

// addPages writes the pages of a pack into the trail, if the pages are from the
// trail's file.
func (x *Index) addPages(t *Trail, path string, number uint32) error {
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

// sweepTrails removes trail files that no committed trail uses.
func (x *Index) sweepTrails() error {
	entries, err := os.ReadDir(filepath.Join(x.dir, "trail"))
	if err != nil {
		return fmt.Errorf("sweep trails: %w", err)
	}
	for _, e := range entries {
		var n int
		row := x.db.QueryRow(`SELECT count(*) FROM facts WHERE key LIKE 'trail %' AND value=?`, e.Name())
		if err := row.Scan(&n); err != nil {
			return fmt.Errorf("sweep trails: %w", err)
		}
		if n == 0 {
			if err := os.Remove(filepath.Join(x.dir, "trail", e.Name())); err != nil {
				return fmt.Errorf("sweep trails: %w", err)
			}
		}
	}
	return nil
}
