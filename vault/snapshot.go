package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"maps"
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

// listing fetches the packs that hold the listing, each once, into a scratch file,
// and puts the listing together from there.
func (s *Snapshot) listing(ctx context.Context) (*listingReader, error) {
	at := s.Record.ListingAt
	ends := map[uint32]int64{} // how much of each pack is needed
	for _, e := range at.Extents {
		if e.Offset+e.Length > pack.MaxPlain {
			return nil, fmt.Errorf("extent %v leads beyond its pack: %w", e, ErrDamage)
		}
		ends[e.Pack] = max(ends[e.Pack], e.Offset+e.Length)
	}
	numbers := slices.Sorted(maps.Keys(ends))
	starts := map[uint32]int64{} // where each pack begins in the scratch file
	var size int64
	for _, n := range numbers {
		starts[n] = size
		size += ends[n]
	}
	scratch, err := disk.Scratch(s.temp)
	if err != nil {
		return nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	queue := make(chan uint32)
	g.Go(func() error { return feed(gctx, numbers, queue) })
	for range min(atOnce, len(numbers)) {
		g.Go(func() error {
			reader, err := pack.NewReader()
			if err != nil {
				return err
			}
			for n := range queue {
				f, err := s.fetchPack(n, reader)
				if err != nil {
					return err
				}
				for f.next(gctx) {
					_, err := io.Copy(io.NewOffsetWriter(scratch, starts[n]), io.LimitReader(reader, ends[n]))
					f.done(err)
				}
				if err := f.end(gctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, scratch.Close())
	}
	var pieces []io.Reader
	for _, e := range at.Extents {
		pieces = append(pieces, io.NewSectionReader(scratch, starts[e.Pack]+e.Offset, e.Length))
	}
	return &listingReader{scratch: scratch, r: io.MultiReader(pieces...), sum: sha256.New(), want: at.SHA256}, nil
}

// atOnce is the number of packs that are fetched side by side.
const atOnce = 3

// feed sends things to workers, one by one, and closes the channel.
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
