package vault

import (
	"cmp"
	"context"
	"iter"

	"holdfast/manifest"
)

// Change is a file that differs between two snapshots.
type Change struct {
	Kind   string         // "added", "removed" or "changed"
	A, B   *manifest.File // in the earlier and the later snapshot; nil if absent
	PagesN int64          // of a file of pages: how many may differ
}

// Diff yields the changes from snapshot a to snapshot b, in path order. For
// files of pages, Diff compares the places of the pages.
func Diff(ctx context.Context, a, b *Snapshot) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		files := join(withPages(a.Lines(ctx)), withPages(b.Lines(ctx)), func(a, b mappedFile) int {
			return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Path, b.Path))
		})
		for pair, err := range files {
			c := Change{A: pair.a.File, B: pair.b.File}
			changed := true
			switch {
			case !pair.inB:
				c.Kind = "removed"
			case !pair.inA:
				c.Kind = "added"
			default:
				c.Kind = "changed"
				c.PagesN, changed = pair.a.differs(pair.b)
			}
			if err != nil || changed {
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// mappedFile is a file and, for each map line, the number of pages.
type mappedFile struct {
	*manifest.File
	lines map[mapKey]int64
}

// mapKey names a map line of a file.
type mapKey struct {
	segment int
	night   int64
	base    bool
}

// differs compares a file with its later form. pages is the number of pages
// that may differ.
func (a mappedFile) differs(b mappedFile) (pages int64, differ bool) {
	if a.PageSize > 0 || b.PageSize > 0 {
		for key, n := range b.lines {
			if _, same := a.lines[key]; !same {
				pages += n
			}
		}
		return pages, pages > 0 || a.Size != b.Size || a.PageSize != b.PageSize
	}
	sameSum := a.SHA256 == b.SHA256 || a.SHA256 != nil && b.SHA256 != nil && *a.SHA256 == *b.SHA256
	same := a.Missing == b.Missing && a.Folder == b.Folder && a.Link == b.Link && a.Size == b.Size && sameSum
	return 0, !same || a.Mode != b.Mode || a.User != b.User
}

// withPages joins map lines to their file.
func withPages(lines iter.Seq2[manifest.Line, error]) iter.Seq2[mappedFile, error] {
	return func(yield func(mappedFile, error) bool) {
		var last mappedFile
		for line, err := range lines {
			switch {
			case err != nil:
				yield(mappedFile{}, err)
				return
			case line.Map != nil:
				last.lines[mapKey{line.Map.Segment, line.Map.Night, line.Map.Base}] = pagesOf(line.Map)
			case line.Extents != nil: // the file's sum tells
			default:
				if last.File != nil && !yield(last, nil) {
					return
				}
				last = mappedFile{line.File, map[mapKey]int64{}}
			}
		}
		if last.File != nil {
			yield(last, nil)
		}
	}
}

// pagesOf returns the number of pages of a map line.
func pagesOf(m *manifest.MapLine) (n int64) {
	for _, r := range m.Runs {
		for i := 2; i < len(r.Steps); i += 3 {
			n += int64(r.Steps[i])
		}
	}
	return n
}
