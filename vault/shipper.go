package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/pack"
	"holdfast/remote"
	"holdfast/seal"
)

const (
	defaultSpool = 1 << 30
	// spoolReserve of the disk is left to the instance.
	spoolReserve = 2 << 30
	uploaders    = 2
)

// shipper takes sealed packs to the remote. It owns the pack buffers: one for
// each worker and one to spare, which bounds the memory. While a database
// transaction is held, a pack that would have to wait for an uploader or leave
// its worker without a buffer goes to the spool on disk.
type shipper struct {
	store    remote.Store
	idx      *index.Index
	sealer   *seal.Sealer
	dir      string // of the spool
	limit    int64  // of the spool, bytes
	room     int64  // that the packs in hand may still need
	progress *Progress

	buffers chan []byte
	queue   chan parcel
	busy    atomic.Int64  // parcels in the queue or under way
	settled chan struct{} // told when busy came down to zero
	holding atomic.Bool   // a transaction is held
	spooled atomic.Int64  // bytes on disk

	mu    sync.Mutex // guards count and bytes
	count int
	bytes int64
}

// parcel is a pack on its way: in memory, or in the spool where buf is nil.
type parcel struct {
	manifest.Pack
	buf []byte
}

// maxQueue is more packs than any spool holds.
const maxQueue = 1 << 14

func newShipper(store remote.Store, idx *index.Index, sealer *seal.Sealer, cfg BackupConfig) (*shipper, error) {
	dir := filepath.Join(cfg.State, "spool")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	limit := cfg.Spool
	if limit == 0 {
		limit = defaultSpool
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return nil, fmt.Errorf("measure spool: %w", err)
	}
	limit = min(limit, int64(disk.Bavail)*disk.Bsize-spoolReserve)
	s := &shipper{
		store: store, idx: idx, sealer: sealer, dir: dir, limit: limit, room: int64(cfg.Workers) * pack.Size,
		progress: cfg.Progress,
		buffers:  make(chan []byte, cfg.Workers+1), queue: make(chan parcel, maxQueue), settled: make(chan struct{}, 1),
	}
	for range cap(s.buffers) {
		s.buffers <- nil // made when first needed
	}
	return s, nil
}

// cramped is why the spool has no room for the packs in hand.
func (s *shipper) cramped(cfg BackupConfig) string {
	if cfg.Spool > 0 && cfg.Spool <= s.limit {
		return fmt.Sprintf("the spool may have %d bytes by the configuration, less than the %d MiB of the packs in hand", cfg.Spool, s.room>>20)
	}
	return "the disk of the state folder has hardly more than the 2 GiB that are left to the instance"
}

// buffer returns an empty pack buffer, which send takes back. It waits until an
// upload gives one back, if it must.
func (s *shipper) buffer(ctx context.Context) ([]byte, error) {
	select {
	case buf := <-s.buffers:
		return fresh(buf), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fresh makes a buffer when it is first needed.
func fresh(buf []byte) []byte {
	if buf == nil {
		return make([]byte, 0, pack.Size)
	}
	return buf[:0]
}

// send notes a sealed pack in the index and gives it to an uploader, or to the
// spool. While a transaction is held it never waits, and returns the buffer for
// the next pack. errSpoolFull says that this pack was taken and that the next
// may not be: the transaction has to end.
func (s *shipper) send(ctx context.Context, p index.Pack, c index.Contents, buf []byte) (next []byte, err error) {
	if err := s.idx.AddPack(p, c); err != nil {
		return nil, err
	}
	if !s.holding.Load() {
		return nil, s.enqueue(ctx, parcel{p.Pack, buf})
	}
	if s.busy.Load() < uploaders {
		select {
		case next = <-s.buffers:
			return fresh(next), s.enqueue(ctx, parcel{p.Pack, buf})
		default:
		}
	}
	if err := s.spool(p.Pack, buf); err != nil {
		return nil, err
	}
	if err := s.enqueue(ctx, parcel{p.Pack, nil}); err != nil {
		return nil, err
	}
	if s.spooled.Load()+s.room > s.limit {
		return buf[:0], errSpoolFull
	}
	return buf[:0], nil
}

func (s *shipper) enqueue(ctx context.Context, p parcel) error {
	s.busy.Add(1)
	select {
	case s.queue <- p:
		return nil
	case <-ctx.Done():
		s.busy.Add(-1)
		return ctx.Err()
	}
}

// keep takes back a buffer that no pack was begun in.
func (s *shipper) keep(buf []byte) {
	if buf != nil {
		s.buffers <- buf
	}
}

func (s *shipper) spool(p manifest.Pack, buf []byte) error {
	s.spooled.Add(p.Size)
	path := s.path(p.Name)
	if err := os.WriteFile(path+".part", buf, 0o600); err != nil {
		return fmt.Errorf("spool pack: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("spool pack: %w", err)
	}
	return nil
}

func (s *shipper) path(name manifest.Hash) string { return filepath.Join(s.dir, name.Hex()) }

// upload puts parcels until the queue ends or a Put fails.
func (s *shipper) upload(ctx context.Context) error {
	for p := range s.queue {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.put(ctx, p); err != nil {
			return err
		}
		s.keep(p.buf)
		if s.busy.Add(-1) == 0 {
			select {
			case s.settled <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

func (s *shipper) put(ctx context.Context, p parcel) error {
	var body io.ReaderAt = bytes.NewReader(p.buf)
	if p.buf == nil {
		f, err := os.Open(s.path(p.Name))
		if err != nil {
			return fmt.Errorf("read spool: %w", err)
		}
		defer f.Close()
		body = f
	}
	if err := s.store.Put(ctx, p.Object(), body, p.Size); err != nil {
		return fmt.Errorf("store %s: %w", p.Object(), err)
	}
	if err := s.idx.SetState(p.Number, index.Stored); err != nil {
		return err
	}
	s.progress.moved(p.Size)
	s.mu.Lock()
	s.count++
	s.bytes += p.Size
	s.mu.Unlock()
	if p.buf == nil {
		s.spooled.Add(-p.Size)
		if err := os.Remove(s.path(p.Name)); err != nil {
			return fmt.Errorf("clear spool: %w", err)
		}
	}
	return nil
}

// drain waits until everything that was sent is in the remote.
func (s *shipper) drain(ctx context.Context) error {
	for s.busy.Load() > 0 {
		select {
		case <-s.settled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// end lets the uploaders finish.
func (s *shipper) end() { close(s.queue) }

// resume sends what an earlier run left in the spool, and removes what nobody
// needs any more.
func (s *shipper) resume(ctx context.Context) error {
	packs, err := s.idx.Packs()
	if err != nil {
		return err
	}
	waiting := map[string]manifest.Pack{}
	for _, p := range packs {
		if p.State == index.Pending {
			waiting[p.Name.Hex()] = p.Pack
		}
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	for _, e := range entries {
		p, ok := waiting[e.Name()]
		if !ok {
			if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("clear spool: %w", err)
			}
			continue
		}
		// A power cut may have left a file of the right size and other bytes,
		// another user one that only he may read.
		if sum, err := hashFile(s.path(p.Name)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("read spool: %w", err)
		} else if sum != p.Name {
			if err := errors.Join(os.Remove(s.path(p.Name)), s.idx.Drop([]uint32{p.Number})); err != nil {
				return fmt.Errorf("clear spool: %w", err)
			}
			continue
		}
		s.spooled.Add(p.Size)
		if err := s.enqueue(ctx, parcel{p, nil}); err != nil {
			return err
		}
	}
	return s.drain(ctx)
}

func hashFile(path string) (manifest.Hash, error) {
	f, err := os.Open(path)
	if err != nil {
		return manifest.Hash{}, err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return manifest.Hash(sum.Sum(nil)), err
}

// spooledPacks are the whole packs that lie in the spool, and their sizes.
func spooledPacks(state string) map[manifest.Hash]int64 {
	found := map[manifest.Hash]int64{}
	entries, err := os.ReadDir(filepath.Join(state, "spool"))
	if err != nil {
		return found
	}
	for _, e := range entries {
		name, err := manifest.ParseHex(e.Name())
		info, err2 := e.Info()
		if err == nil && err2 == nil {
			found[name] = info.Size()
		}
	}
	return found
}
