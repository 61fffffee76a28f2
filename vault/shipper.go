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

	"holdfast/disk"
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

// shipper takes sealed packs to the remote. The shipper owns the pack buffers:
// one for each worker and a spare buffer, which bounds the memory. During a
// transaction, packs go to the spool on disk if all uploaders are busy, or if
// the worker would be left without a buffer.
type shipper struct {
	store    remote.Store
	idx      *index.Index
	sealer   *seal.Sealer
	above    uint32 // a pack's number is higher
	progress *Progress
	host     *seal.Host // its polynomial decides where chunks of streams end

	// disk is the folder of the spool. Another user of the state folder may have put links
	// into the folder: disk follows no link out of the state folder.
	disk  *os.Root
	limit int64 // of the spool, bytes
	room  int64 // that the open packs of all workers may still need

	held    *transaction // nil: no transaction is held
	buffers chan []byte
	queue   chan parcel
	busy    atomic.Int64  // parcels in the queue or under way
	idle    chan struct{} // receives a value when busy comes down to zero
	spooled atomic.Int64  // bytes on disk

	mu    sync.Mutex // guards count and bytes
	count int
	bytes int64
}

// transaction is a transaction of the source. No send keeps a transaction
// waiting.
type transaction struct {
	full chan struct{} // closed once the spool is full
	once sync.Once     // closes full
}

// parcel is a pack on its way: in memory, or in the spool if buf is nil.
type parcel struct {
	manifest.Pack
	buf []byte
}

// maxQueue is more packs than any spool holds.
const maxQueue = 1 << 14

func newShipper(sealer *seal.Sealer, cfg BackupConfig) (*shipper, error) {
	folder, err := openSpool(cfg.State)
	if err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	limit := cfg.Spool
	if limit == 0 {
		limit = defaultSpool
	}
	free, err := disk.Free(folder.Name())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("measure spool: %w", err), folder.Close())
	}
	s := &shipper{
		store: cfg.Repository.store, idx: cfg.Index, sealer: sealer,
		above: cfg.Repository.highest(), progress: cfg.Progress,
		host: cfg.Host, disk: folder,
		limit: min(limit, free.Bytes-spoolReserve), room: int64(cfg.Workers) * pack.Size,
		buffers: make(chan []byte, cfg.Workers+1), queue: make(chan parcel, maxQueue), idle: make(chan struct{}, 1),
	}
	for range cap(s.buffers) {
		s.buffers <- nil // made when first needed
	}
	return s, nil
}

// warning says why the spool has no room for the open packs, or "".
func (s *shipper) warning(cfg BackupConfig) string {
	switch {
	case s.limit >= s.room:
		return ""
	case cfg.Spool > 0 && cfg.Spool <= s.limit:
		return fmt.Sprintf("the configuration limits the spool to %d bytes, less than the %d MiB "+
			"of the packs in hand: a slow remote makes many passes over the database", cfg.Spool, s.room>>20)
	}
	return "the disk of the state folder has hardly more than the 2 GiB reserved for the instance, " +
		"and no room for a spool: a slow remote makes many passes over the database"
}

// buffer returns an empty pack buffer for send to take back. buffer may wait for
// an upload.
func (s *shipper) buffer(ctx context.Context) ([]byte, error) {
	select {
	case buf := <-s.buffers:
		return fresh(buf), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fresh empties a buffer, and makes one on first use.
func fresh(buf []byte) []byte {
	if buf == nil {
		return make([]byte, 0, pack.Size)
	}
	return buf[:0]
}

// hold begins a transaction: until release, no send waits for the network. The
// channel is closed once the spool is full. Readers then stop, send their open
// packs, and end the transaction.
func (s *shipper) hold() (full <-chan struct{}) {
	s.held = &transaction{full: make(chan struct{})}
	return s.held.full
}

// release ends the transaction. All senders have returned by then.
func (s *shipper) release() { s.held = nil }

// send gives a sealed pack to an uploader, or to the spool. While a transaction
// is held, send never waits, and returns a buffer for the next pack.
func (s *shipper) send(ctx context.Context, p parcel) (next []byte, err error) {
	if s.held != nil {
		if next = s.spare(); next == nil {
			if err := s.spool(p); err != nil {
				return nil, err
			}
			next, p.buf = p.buf[:0], nil
		}
	}
	s.busy.Add(1)
	select {
	case s.queue <- p:
		return next, nil
	case <-ctx.Done():
		s.busy.Add(-1)
		return nil, ctx.Err()
	}
}

// spare returns an empty buffer, or nil if all buffers or all uploaders are busy.
func (s *shipper) spare() []byte {
	if s.busy.Load() >= uploaders {
		return nil
	}
	select {
	case buf := <-s.buffers:
		return fresh(buf)
	default:
		return nil
	}
}

// openSpool opens the folder of the spool, and makes a missing folder. A spool that is a
// link out of the state folder is an error.
func openSpool(state string) (*os.Root, error) {
	root, err := disk.OpenRoot(state)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := root.Mkdir(spoolName, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return root.OpenRoot(spoolName)
}

// spoolName is the folder of the spool in the state folder.
const spoolName = "spool"

// giveBack returns a buffer that holds no pack.
func (s *shipper) giveBack(buf []byte) {
	if buf != nil {
		s.buffers <- buf
	}
}

// spool writes a pack to the spool. If the next packs may not fit, the transaction
// has to end.
func (s *shipper) spool(p parcel) error {
	name := p.Name.Hex()
	if err := s.disk.WriteFile(name+".part", p.buf, 0o600); err != nil {
		return fmt.Errorf("spool pack: %w", err)
	}
	if err := s.disk.Rename(name+".part", name); err != nil {
		return fmt.Errorf("spool pack: %w", err)
	}
	if s.spooled.Add(p.Size)+s.room > s.limit {
		s.held.once.Do(func() { close(s.held.full) })
	}
	return nil
}

// upload puts parcels until the queue ends or a Put fails.
func (s *shipper) upload(ctx context.Context) error {
	for p := range s.queue {
		if err := ctx.Err(); err != nil {
			return err
		}
		body, err := s.open(p)
		if err != nil {
			return err
		}
		err = s.store.Put(ctx, p.Object(), body, p.Size)
		body.Close()
		if err != nil {
			return fmt.Errorf("store a pack: %w", err) // err has the name
		}
		if err := s.stored(p); err != nil {
			return err
		}
		s.giveBack(p.buf)
		if s.busy.Add(-1) == 0 {
			select {
			case s.idle <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

// packBody is the bytes of a pack on the way.
type packBody interface {
	io.ReaderAt
	io.Closer
}

// inMemory is a packBody. Close does nothing.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// open returns the bytes of a parcel.
func (s *shipper) open(p parcel) (packBody, error) {
	if p.buf != nil {
		return inMemory{bytes.NewReader(p.buf)}, nil
	}
	f, err := s.disk.Open(p.Name.Hex())
	if err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	return f, nil
}

// stored notes that the remote has a parcel, and removes the parcel from the spool.
func (s *shipper) stored(p parcel) error {
	if err := s.idx.SetState(p.Number, index.Stored); err != nil {
		return err
	}
	s.progress.moved(p.Size)
	s.mu.Lock()
	s.count++
	s.bytes += p.Size
	s.mu.Unlock()
	if p.buf != nil {
		return nil
	}
	s.spooled.Add(-p.Size)
	if err := s.disk.Remove(p.Name.Hex()); err != nil {
		return fmt.Errorf("clear spool: %w", err)
	}
	return nil
}

// drain waits until all packs are in the remote.
func (s *shipper) drain(ctx context.Context) error {
	for s.busy.Load() > 0 {
		select {
		case <-s.idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// close ends upload once the queue is empty.
func (s *shipper) close() { close(s.queue) }

// resume uploads the spooled packs of an earlier run, and removes all other
// files of the spool.
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
	entries, err := fs.ReadDir(s.disk.FS(), ".")
	if err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	for _, e := range entries {
		p, ok := waiting[e.Name()]
		if !ok {
			if err := s.disk.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("clear spool: %w", err)
			}
			continue
		}
		// After a power cut a file may have the right size and wrong bytes. A
		// run by another user may have left an unreadable file.
		if sum, err := s.hashFile(p.Name.Hex()); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("read spool: %w", err)
		} else if sum != p.Name {
			if err := errors.Join(s.disk.Remove(p.Name.Hex()), s.idx.Drop([]uint32{p.Number})); err != nil {
				return fmt.Errorf("clear spool: %w", err)
			}
			continue
		}
		s.spooled.Add(p.Size)
		if _, err := s.send(ctx, parcel{p, nil}); err != nil {
			return err
		}
	}
	return s.drain(ctx)
}

func (s *shipper) hashFile(name string) (manifest.Hash, error) {
	f, err := s.disk.Open(name)
	if err != nil {
		return manifest.Hash{}, err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return manifest.Hash(sum.Sum(nil)), err
}

// spooledPacks returns the packs in the spool, and the sizes of their files.
func spooledPacks(state string) map[manifest.Hash]int64 {
	found := map[manifest.Hash]int64{}
	entries, err := os.ReadDir(filepath.Join(state, spoolName))
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
