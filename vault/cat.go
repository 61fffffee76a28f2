package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"holdfast/manifest"
)

// Cat writes the bytes of a single file, "PART/PATH", to w. Cat fetches only
// the packs that the file needs, and checks all bytes before it writes the
// first. Cat follows links within the snapshot, never on this machine.
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

// cat writes the bytes of a file, but not of a link.
func (s *Snapshot) cat(ctx context.Context, name string, w io.Writer) error {
	var f *os.File
	target := &single{name: name}
	err := s.Lend(ctx, target, RestoreConfig{Paths: []string{name}}, func(dir string) (err error) {
		f, err = os.Open(filepath.Join(dir, "file"))
		return err
	})
	switch {
	case target.folder && target.below == "" && errors.Is(err, fs.ErrNotExist):
		return &unclear{fmt.Sprintf("%q is a folder without a file", name), ErrNoFile}
	case target.below != "":
		return &unclear{fmt.Sprintf("%q is a folder; name a file in it, such as %q", name, target.below), ErrNoFile}
	case errors.Is(err, ErrNoFile): // the error names the file
		return err
	}
	if err != nil {
		return fmt.Errorf("read %q: %w", name, err)
	}
	// Lend has removed its folder. If the reader of w goes away and the process ends,
	// no plain text is left.
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	return nil
}

// follow returns the name of the file at the end of the snapshot's links.
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

// Lend restores files into a folder that only this user can enter, calls use
// with the folder, and removes the folder, even after an error. Folders of
// killed runs are removed first. If a file was missing when the snapshot was
// made, the error is ErrNoFile.
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
		return fmt.Errorf("find %s in snapshot %s: it was missing from the instance when the snapshot was made: %w",
			report.Missing[0], s.Record.ID(), ErrNoFile)
	}
	return use(lent)
}

// single is a target for a single file.
type single struct {
	name   string
	folder bool   // name is a folder
	below  string // a file below name, if name is a folder
}

func (s *single) PathOf(f manifest.File) (string, error) {
	if name := string(f.Part) + "/" + f.Path; name != s.name {
		if f.Folder {
			return path.Join("folder", f.Path), nil
		}
		s.below = name
		return "", ErrNoFile
	}
	if s.folder = f.Folder; s.folder {
		return path.Join("folder", f.Path), nil
	}
	return "file", nil
}

func (*single) CheckDatabase(context.Context, *os.Root) (Checked, error) { return Checked{}, nil }

func (*single) Finish(context.Context, *os.Root, Restored) ([]string, error) {
	return nil, nil
}
