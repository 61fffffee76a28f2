package vault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/pack"
	"holdfast/seal"
)

// Snapshot is a backup that an owner opened.
type Snapshot struct {
	Record *manifest.Record

	repo   *Repository
	opener *seal.Opener
	packs  map[uint32]manifest.Pack
	temp   string
}

// OpenSnapshot makes a record readable by the repository's keys. temp is a
// folder for scratch files.
func (r *Repository) OpenSnapshot(rec *manifest.Record, keys *seal.Keys, temp string) (*Snapshot, error) {
	if rec.Kind != manifest.KindBackup || rec.ListingAt == nil {
		return nil, fmt.Errorf("open snapshot %s: it is a record of kind %q: %w", rec.ID(), rec.Kind, ErrNoSnapshot)
	}
	opener, err := keys.Opener()
	if err != nil {
		return nil, err
	}
	return &Snapshot{Record: rec, repo: r, opener: opener, packs: rec.Inventory(), temp: temp}, nil
}

// fetch streams one pack through use and checks it whole. use may be called
// again from the start when the stream broke.
func (s *Snapshot) fetch(ctx context.Context, number uint32, reader *pack.Reader, use func(*pack.Reader) error) error {
	p, ok := s.packs[number]
	if !ok {
		return fmt.Errorf("read pack %d: the record does not name it: %w", number, ErrDamage)
	}
	return s.repo.read(ctx, p.Object(), func(body io.Reader) error {
		err := reader.Open(body, p.Name, p.Size, s.opener)
		if err == nil {
			err = use(reader)
		}
		if err == nil {
			err = reader.Close()
		}
		if errors.Is(err, pack.ErrDamaged) {
			return fmt.Errorf("%w: %w", ErrDamage, err)
		}
		return err
	})
}

// Lines yields the snapshot's listing, checked line by line and as a whole.
func (s *Snapshot) Lines(ctx context.Context) iter.Seq2[manifest.Line, error] {
	return func(yield func(manifest.Line, error) bool) {
		text, err := s.listing(ctx)
		if err != nil {
			yield(manifest.Line{}, fmt.Errorf("read listing of snapshot %s: %w", s.Record.ID(), err))
			return
		}
		defer text.close()
		for line, err := range manifest.Lines(text) {
			if errors.Is(err, manifest.ErrListing) {
				err = fmt.Errorf("%w: %w", ErrDamage, err)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// listingReader reads the listing's bytes and checks their sum at the end.
type listingReader struct {
	scratch *os.File
	r       io.Reader
	sum     hash.Hash
	want    manifest.Hash
}

func (l *listingReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && manifest.Hash(l.sum.Sum(nil)) != l.want {
		return n, fmt.Errorf("the listing does not hash to what its record says: %w", ErrDamage)
	}
	return n, err
}

func (l *listingReader) close() { l.scratch.Close() }

// listing fetches the packs that the listing lies in, each once, into a scratch
// file, and puts it together from there.
func (s *Snapshot) listing(ctx context.Context) (*listingReader, error) {
	at := s.Record.ListingAt
	ends := map[uint32]int64{}
	for _, e := range at.Extents {
		if e.Offset+e.Length > pack.MaxPlain {
			return nil, fmt.Errorf("extent %v leads beyond its pack: %w", e, ErrDamage)
		}
		ends[e.Pack] = max(ends[e.Pack], e.Offset+e.Length)
	}
	numbers := make([]uint32, 0, len(ends))
	for n := range ends {
		numbers = append(numbers, n)
	}
	slices.SortFunc(numbers, cmp.Compare)
	scratch, err := disk.Scratch(s.temp)
	if err != nil {
		return nil, err
	}
	starts := map[uint32]int64{}
	var size int64
	for _, n := range numbers {
		starts[n] = size
		size += ends[n]
	}
	if err := s.each(ctx, numbers, func(n uint32, r *pack.Reader) error {
		_, err := io.Copy(io.NewOffsetWriter(scratch, starts[n]), io.LimitReader(r, ends[n]))
		return err
	}); err != nil {
		return nil, errors.Join(err, scratch.Close())
	}
	var pieces []io.Reader
	for _, e := range at.Extents {
		pieces = append(pieces, io.NewSectionReader(scratch, starts[e.Pack]+e.Offset, e.Length))
	}
	return &listingReader{scratch: scratch, r: io.MultiReader(pieces...), sum: sha256.New(), want: at.SHA256}, nil
}

// atOnce is how many packs are fetched side by side.
const atOnce = 3

// each fetches packs side by side. use must be safe for that.
func (s *Snapshot) each(ctx context.Context, numbers []uint32, use func(uint32, *pack.Reader) error) error {
	g, gctx := errgroup.WithContext(ctx)
	todo := make(chan uint32)
	g.Go(func() error { return feed(gctx, numbers, todo) })
	for range min(atOnce, len(numbers)) {
		g.Go(func() error {
			reader, err := pack.NewReader()
			if err != nil {
				return err
			}
			for n := range todo {
				if err := s.fetch(gctx, n, reader, func(r *pack.Reader) error { return use(n, r) }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// feed gives things to workers, one by one.
func feed[T any](ctx context.Context, all []T, to chan<- T) error {
	defer close(to)
	for _, one := range all {
		select {
		case to <- one:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Files yields the files of a snapshot.
func (s *Snapshot) Files(ctx context.Context) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		for line, err := range s.Lines(ctx) {
			if err != nil {
				yield(manifest.File{}, err)
				return
			}
			if line.File != nil && !yield(*line.File, nil) {
				return
			}
		}
	}
}
