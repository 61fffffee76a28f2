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
	"path"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"holdfast/manifest"
	"holdfast/pack"
)

// completeFiles completes the files of some parts that no unpacker completed,
// and makes the links.
func (r *restore) completeFiles(ctx context.Context, parts ...manifest.Part) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	var planErr error
	for planned, err := range r.plan.incomplete(parts...) {
		if planErr = err; err != nil || gctx.Err() != nil {
			break
		}
		if !planned.folder && planned.link == "" {
			g.Go(func() error { return r.completeFile(gctx, planned) })
		} else if planErr = r.completeFile(ctx, planned); planErr != nil {
			break
		}
	}
	return errors.Join(g.Wait(), planErr)
}

// completeFile completes a file, or makes a link or a folder.
func (r *restore) completeFile(ctx context.Context, planned plannedFile) (err error) {
	switch {
	case planned.folder:
		err = r.folder(planned)
	case planned.link != "":
		err = r.link(planned)
	default:
		err = r.completeChecked(ctx, planned)
	}
	if err != nil {
		return fmt.Errorf("restore %q: %w", planned.path, err)
	}
	return nil
}

// completeChecked completes a file whose bytes came in several pieces, and
// compares the bytes with the hash of the listing.
func (r *restore) completeChecked(ctx context.Context, planned plannedFile) error {
	f, err := createIn(r.tree, planned.path)
	if err != nil {
		return err
	}
	defer f.Close() // complete closes f, too
	if planned.sum != nil {
		sum, n, err := hashFile(ctx, f, planned.size)
		if err != nil {
			return err
		}
		if n != planned.size || !bytes.Equal(sum, planned.sum) {
			r.otherBytes(planned)
		}
	}
	return r.complete(f, planned)
}

// complete sets the size, mode and time of a file whose bytes are all written,
// and closes the file.
func (r *restore) complete(f *os.File, planned plannedFile) error {
	if err := errors.Join(f.Truncate(planned.size), f.Chmod(fs.FileMode(planned.mode)), f.Close()); err != nil {
		return err
	}
	return r.tree.Chtimes(planned.path, planned.modified, planned.modified)
}

// link makes a symbolic link. Nothing is written through a link: no path of a
// listing lies below a link, and no link lies above the target's own folders.
func (r *restore) link(f plannedFile) error {
	dir := path.Dir(f.path)
	if err := r.tree.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := r.tree.Symlink(string(f.link), f.path)
	if there, _ := r.tree.Readlink(f.path); err != nil && there != string(f.link) { // another link
		return err
	}
	in, err := r.tree.Open(dir)
	if err != nil {
		return err
	}
	defer in.Close()
	at := unix.NsecToTimespec(f.modified.UnixNano())
	return unix.UtimesNanoAt(int(in.Fd()), path.Base(f.path), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// createIn opens a file for reading and writing below root, with the folders above it.
func createIn(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = root.MkdirAll(path.Dir(name), 0o755)
	case errors.Is(err, fs.ErrPermission):
		// An earlier try completed a file that nobody may write.
		err = root.Chmod(name, 0o600)
	default:
		return f, err
	}
	if err != nil {
		return nil, err
	}
	return root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}

// hashFile returns the SHA-256 of the first bytes of a file, and the number of bytes:
// size, or fewer in a shorter file.
func hashFile(ctx context.Context, f *os.File, size int64) (sum []byte, n int64, err error) {
	hash, window := sha256.New(), make([]byte, pack.FrameSize)
	for n < size {
		if err := ctx.Err(); err != nil {
			return nil, n, err
		}
		got, err := f.ReadAt(window[:min(int64(len(window)), size-n)], n)
		hash.Write(window[:got])
		n += int64(got)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, n, err
		}
	}
	return hash.Sum(nil), n, nil
}

// errOtherBytes means that a file has other bytes than the listing says.
var errOtherBytes = errors.New("other bytes than the listing says")

// otherBytes notes a file with other bytes than the listing says.
func (r *restore) otherBytes(f plannedFile) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrongFiles = append(r.wrongFiles, f)
}

// wrongDatabase reports whether a file of the database has other bytes than the listing says.
func (r *restore) wrongDatabase() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.wrongFiles, func(f plannedFile) bool { return f.part == manifest.Database })
}

// folder makes a folder and sets the mode. The person who restores can always read and
// delete the folder.
func (r *restore) folder(f plannedFile) error {
	if err := r.tree.MkdirAll(f.path, 0o755); err != nil {
		return err
	}
	return r.tree.Chmod(f.path, fs.FileMode(f.mode)|0o700)
}
