package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"holdfast/manifest"
)

// Cat writes the bytes of one file, "PART/PATH", to w, and fetches no pack that
// the file doesn't need. The bytes are checked before the first is written. Links
// are followed within the snapshot, never on this machine.
func (s *Snapshot) Cat(ctx context.Context, name string, w io.Writer) error {
	end, err := s.follow(ctx, name)
	if err != nil {
		return err
	}
	if end != path.Clean(name) {
		if err := s.cat(ctx, end, w); err != nil {
			return fmt.Errorf("%q is a link: %w", name, err)
		}
		return nil
	}
	return s.cat(ctx, name, w)
}

// cat does so for what is no link.
func (s *Snapshot) cat(ctx context.Context, name string, w io.Writer) error {
	var f *os.File
	target := &single{name: name}
	err := s.Lend(ctx, target, RestoreConfig{Paths: []string{name}}, func(dir string) (err error) {
		f, err = os.Open(filepath.Join(dir, "file"))
		return err
	})
	switch {
	case target.below != "":
		return fmt.Errorf("%q is a folder; name a file in it, such as %q: %w", name, target.below, ErrNoFile)
	case errors.Is(err, ErrNoFile): // which names it
		return err
	}
	if err != nil {
		return fmt.Errorf("read %q: %w", name, err)
	}
	// A reader of w that goes away may end the process: nothing is left then.
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	return nil
}

// follow is the name of the file that a name leads to, by the snapshot's links.
func (s *Snapshot) follow(ctx context.Context, name string) (string, error) {
	within, inFiles := strings.CutPrefix(name, string(manifest.Files)+"/")
	if !inFiles {
		return name, nil
	}
	links := map[string]manifest.Link{}
	for f, err := range s.Files(ctx) {
		if err != nil {
			return "", err
		}
		if f.Part > manifest.Files {
			break
		}
		if f.Link != "" {
			links[f.Path] = f.Link
		}
	}
	end, err := manifest.Resolve(within, func(path string) (manifest.Link, bool) {
		link, ok := links[path]
		return link, ok
	})
	if err != nil {
		return "", fmt.Errorf("follow %q: %w: %w", name, err, ErrNoFile)
	}
	return string(manifest.Files) + "/" + end, nil
}

// Lend restores files into a folder that only this user can enter, lets use
// have them, and removes the folder, however that ends. A file that was missing
// when the snapshot was made is ErrNoFile.
func (s *Snapshot) Lend(ctx context.Context, target Target, cfg RestoreConfig, use func(dir string) error) (err error) {
	sweepPlaintext(s.temp)
	dir, held, err := makePlaintext(s.temp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir), held.Close()) }()
	lent := filepath.Join(dir, "lent")
	report, err := s.Restore(ctx, lent, target, cfg)
	if err != nil {
		return err
	}
	if len(report.Missing) > 0 {
		return fmt.Errorf("find %s in snapshot %s: it was missing from the instance when the snapshot was made: %w", report.Missing[0], s.Record.ID(), ErrNoFile)
	}
	return use(lent)
}

// single is a target for one file.
type single struct {
	name  string
	below string // a file that was met where name is a folder
}

func (s *single) PathOf(f manifest.File) (string, error) {
	if name := string(f.Part) + "/" + f.Path; name != s.name {
		s.below = name
		return "", ErrNoFile
	}
	return "file", nil
}

func (*single) CheckDatabase(context.Context, *os.Root) ([]string, error) { return nil, nil }

func (*single) Finish(context.Context, *os.Root, Restored) ([]string, error) {
	return nil, nil
}

// Change is a file that differs between two snapshots.
type Change struct {
	Kind   string // "added", "removed" or "changed"
	A, B   *manifest.File
	PagesN int64 // of a file of pages: how many may differ
}

// Diff yields what changed from snapshot a to snapshot b, in path order. Files
// of pages are compared by where their pages lie.
func Diff(ctx context.Context, a, b *Snapshot) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		nextA, stopA := iter.Pull2(withPages(a.Lines(ctx)))
		defer stopA()
		nextB, stopB := iter.Pull2(withPages(b.Lines(ctx)))
		defer stopB()
		fa, err, okA := nextA()
		fb, errB, okB := nextB()
		for okA || okB {
			if err = cmp.Or(err, errB); err != nil {
				yield(Change{}, err)
				return
			}
			side := 0
			switch {
			case !okA:
				side = 1
			case !okB:
				side = -1
			default:
				side = cmp.Or(cmp.Compare(fa.Part, fb.Part), cmp.Compare(fa.Path, fb.Path))
			}
			more := true
			switch {
			case side < 0:
				more = yield(Change{Kind: "removed", A: fa.File}, nil)
			case side > 0:
				more = yield(Change{Kind: "added", B: fb.File}, nil)
			default:
				if pages, differ := fa.differs(fb); differ {
					more = yield(Change{Kind: "changed", A: fa.File, B: fb.File, PagesN: pages}, nil)
				}
			}
			if !more {
				return
			}
			if side <= 0 {
				fa, err, okA = nextA()
			}
			if side >= 0 {
				fb, errB, okB = nextB()
			}
		}
		if err = cmp.Or(err, errB); err != nil {
			yield(Change{}, err)
		}
	}
}

// mapped is a file with what its map lines say, shortened to what Diff needs:
// how many pages each line tells of, by night and segment.
type mapped struct {
	*manifest.File
	lines map[mapKey]int64
}

type mapKey struct {
	segment int
	night   int64
	base    bool
}

func (a mapped) differs(b mapped) (pages int64, differ bool) {
	if a.PageSize > 0 || b.PageSize > 0 {
		for key, n := range b.lines {
			if _, same := a.lines[key]; !same {
				pages += n
			}
		}
		return pages, pages > 0 || a.Size != b.Size || a.PageSize != b.PageSize
	}
	same := a.Missing == b.Missing && a.Link == b.Link && a.Size == b.Size && (a.SHA256 == b.SHA256 || a.SHA256 != nil && b.SHA256 != nil && *a.SHA256 == *b.SHA256)
	return 0, !same || a.Mode != b.Mode || a.User != b.User
}

// withPages joins map lines to their file.
func withPages(lines iter.Seq2[manifest.Line, error]) iter.Seq2[mapped, error] {
	return func(yield func(mapped, error) bool) {
		var last mapped
		for line, err := range lines {
			switch {
			case err != nil:
				yield(mapped{}, err)
				return
			case line.Map != nil:
				var n int64
				for _, r := range line.Map.Runs {
					for i := 2; i < len(r.Steps); i += 3 {
						n += int64(r.Steps[i])
					}
				}
				last.lines[mapKey{line.Map.Segment, line.Map.Night, line.Map.Base}] = n
			case line.Extents != nil: // the sum tells
			default:
				if last.File != nil && !yield(last, nil) {
					return
				}
				last = mapped{line.File, map[mapKey]int64{}}
			}
		}
		if last.File != nil {
			yield(last, nil)
		}
	}
}
