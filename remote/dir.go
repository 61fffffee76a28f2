package remote

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tmp is the folder of a directory remote where objects wait until they are
// whole.
const tmp = "tmp"

// staleAfter is how long an unfinished object may lie in tmp: far longer than
// any Put takes.
const staleAfter = 24 * time.Hour

// directory keeps each object as a file of its name below path, 0600 in
// folders 0700. An object is written in tmp/, synced, renamed, and the rename
// synced. Put does not rewrite an object that is there at its size. What root
// writes belongs to the owner of path.
//
// The root is opened anew for each call: the agent lives for months, and must
// neither keep a disk from being unmounted nor write below the mount point.
type directory struct {
	path  string
	sweep sync.Once
}

func newDirectory(p string) (*directory, error) {
	abs, err := filepath.Abs(p)
	if err != nil {
		return nil, fmt.Errorf("open remote: %w", err)
	}
	return &directory{path: abs}, nil
}

// ready adds no retries: what a local file system refuses it refuses again.
func (d *directory) ready() Store { return d }

func (d *directory) String() string {
	return (&url.URL{Scheme: "dir", Path: filepath.ToSlash(d.path)}).String()
}

func (d *directory) Close() error { return nil }

// create makes the last element only: a missing parent is more often an
// unmounted disk than a wish.
func (d *directory) create(context.Context) error {
	err := os.Mkdir(d.path, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("create %s: %w: folder %s does not exist", d, ErrNotMounted, filepath.Dir(d.path))
		}
		return d.fail("create", d.path, err)
	}
	if err := syncFolder(os.Open(filepath.Dir(d.path))); err != nil {
		return d.fail("create", d.path, err)
	}
	root, err := d.root()
	if err != nil {
		return fmt.Errorf("create %s: %w", d, err)
	}
	defer root.Close()
	if err := makeFolder(root, tmp); err != nil {
		return d.fail("create", tmp, err)
	}
	return nil
}

func (d *directory) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	root, err := d.root()
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	defer root.Close()

	kind, sum := path.Split(name)
	if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() && info.Size() == size {
		// Who put it may have died between the rename and the sync.
		return d.fail("put", name, syncFolder(root.Open(kind)))
	}
	if err := d.prepare(root, kind); err != nil {
		return d.fail("put", name, err)
	}
	unfinished := path.Join(tmp, sum+"."+rand.Text())
	if err := write(ctx, root, unfinished, sum, io.NewSectionReader(body, 0, size), size); err != nil {
		root.Remove(unfinished)
		return d.fail("put", name, err)
	}
	if err := root.Rename(unfinished, name); err != nil {
		root.Remove(unfinished)
		return d.fail("put", name, err)
	}
	return d.fail("put", name, syncFolder(root.Open(kind)))
}

// mounted refuses an empty root: it is the mount point of a disk that isn't
// mounted, since create leaves tmp/.
func (d *directory) mounted(root *os.Root) error {
	if _, err := root.Lstat(tmp); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("%w: folder %s is empty", ErrNotMounted, d.path)
	}
	return err
}

// prepare makes the folders that a Put needs.
func (d *directory) prepare(root *os.Root, kind string) error {
	if err := d.mounted(root); err != nil {
		return err
	}
	if err := makeFolder(root, tmp); err != nil {
		return err
	}
	d.sweep.Do(func() { removeStale(root) })
	return makeFolder(root, path.Clean(kind))
}

func write(ctx context.Context, root *os.Root, name, sum string, body io.Reader, size int64) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	giveToOwner(root, name)
	hash := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(file, hash), stopping{ctx, body}, make([]byte, 256<<10))
	if err != nil {
		return err
	}
	if n < size {
		return fmt.Errorf("read body: %w", io.ErrUnexpectedEOF)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return fmt.Errorf("the bytes' SHA-256 is %s", got)
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return file.Close()
}

func (d *directory) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := CheckName(name); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	root, err := d.root()
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	defer root.Close()
	file, err := root.Open(name)
	if err != nil {
		return nil, d.fail("get", name, err)
	}
	return &stream{stopping{ctx, file}, file, func(err error) error { return d.fail("get", name, err) }}, nil
}

func (d *directory) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		root, err := d.root()
		if err != nil {
			yield(Object{}, fmt.Errorf("list: %w", err))
			return
		}
		defer root.Close()
		if err := d.mounted(root); err != nil {
			yield(Object{}, d.fail("list", prefix, err))
			return
		}
		top := "."
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			top = prefix[:i]
		}
		err = fs.WalkDir(root.FS(), top, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, fs.ErrNotExist): // deleted meanwhile, or no object of that kind yet
				return nil
			case name == tmp, name == "lost+found": // the latter only root may read
				return fs.SkipDir
			case err != nil:
				return err
			case entry.IsDir() || !strings.HasPrefix(name, prefix):
				return nil
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if !yield(Object{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Object{}, d.fail("list", prefix, err))
		}
	}
}

func (d *directory) Delete(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	root, err := d.root()
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	defer root.Close()
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.fail("delete", name, err)
	}
	return nil
}

// root's error never is fs.ErrNotExist: that would read as a missing object.
func (d *directory) root() (*os.Root, error) {
	root, err := os.OpenRoot(d.path)
	switch {
	case err == nil:
		return root, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %w", ErrRights, err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: folder %s does not exist", ErrNotMounted, d.path)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// fail says what could not be done to which object, and what that means.
func (d *directory) fail(verb, name string, err error) error {
	what := strings.TrimSpace(verb + " " + name) // a list of everything has no name
	var meaning error
	var errno syscall.Errno
	errors.As(err, &errno)
	switch errno {
	case syscall.ENOSPC, syscall.EDQUOT:
		meaning = ErrFull
	case syscall.EACCES, syscall.EPERM:
		meaning = fmt.Errorf("%w: in %s", ErrRights, d.path)
	case syscall.EROFS:
		meaning = ErrReadOnly
	case syscall.EIO, syscall.ENODEV, syscall.ENXIO, syscall.ESTALE, syscall.ENOTCONN, syscall.ETIMEDOUT:
		meaning = ErrUnreachable
	}
	switch {
	case err == nil:
		return nil
	case meaning != nil:
		return fmt.Errorf("%s: %w: %w", what, meaning, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// makeFolder makes a folder in root that outlives a power failure.
func makeFolder(root *os.Root, name string) error {
	err := root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	giveToOwner(root, name)
	return syncFolder(root.Open("."))
}

// giveToOwner gives what root made to the owner of the remote's folder: one run
// by root must not keep that user from the repository. Where the file system
// has no owners, or root may not (NFS), they are not root's either.
func giveToOwner(root *os.Root, name string) {
	if os.Geteuid() != 0 {
		return
	}
	if info, err := root.Stat("."); err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
			root.Lchown(name, int(owner.Uid), int(owner.Gid))
		}
	}
}

// syncFolder makes renames in an opened folder durable, and closes it. File
// systems that can't sync folders (CIFS, some FUSE) say EINVAL.
func syncFolder(folder *os.File, err error) error {
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// removeStale removes what killed runs left in tmp. That it can't is no reason
// to fail a Put.
func removeStale(root *os.Root) {
	entries, _ := fs.ReadDir(root.FS(), tmp)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
			root.Remove(path.Join(tmp, entry.Name()))
		}
	}
}
