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
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/disk"
)

// directory keeps each object as a file below path, named as the object, mode 0600
// in folders of mode 0700. Put writes a file in tmp/, syncs and renames the file,
// and syncs the rename. Put leaves an existing file of the right size alone. Files
// that root writes belong to the user of path.
//
// Each call opens path anew: an agent that runs for months must not hold a disk
// mounted, and must not write below a mount point.
type directory struct {
	path  string
	sweep sync.Once
}

// tmp is the folder of unfinished objects.
const tmp = "tmp"

// staleAfter is the age at which an unfinished object is removed. No Put takes
// nearly as long.
const staleAfter = 24 * time.Hour

func newDirectory(p string) (*directory, error) {
	abs, err := filepath.Abs(p)
	if err != nil {
		return nil, fmt.Errorf("open remote: %w", err)
	}
	return &directory{path: abs}, nil
}

// ready adds no retries: a local file system would fail again.
func (d *directory) ready() Store { return d }

func (d *directory) String() string { return d.path }

func (d *directory) Close() error { return nil }

// create makes the last element of path only: a missing parent is often an
// unmounted disk.
func (d *directory) create(context.Context) error {
	err := os.Mkdir(d.path, 0o700)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("create %s: %w", d, missing(filepath.Dir(d.path)))
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("create %s: %w", d, notFolder(d.path))
	default:
		return d.fail("create", d.path, err)
	}
	if err := disk.SyncFolder(filepath.Dir(d.path)); err != nil {
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
		// An earlier Put may have died between the rename and the sync.
		return d.fail("put", name, syncIn(root, kind))
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
	return d.fail("put", name, syncIn(root, kind))
}

// mounted refuses an empty root. create leaves tmp/, so an empty root is the mount
// point of an unmounted disk.
func (d *directory) mounted(root *os.Root) error {
	if _, err := root.Lstat(tmp); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err == nil && len(entries) == 0 {
		err = &trouble{fmt.Sprintf("folder %s is empty", d.path), ErrNotMounted}
	}
	return err
}

// prepare makes the folders for a Put.
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

// write writes a new file durably and checks the SHA-256 of the bytes.
func write(ctx context.Context, root *os.Root, name, sum string, body io.Reader, size int64) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	giveToUser(root, name)
	hash := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(file, hash), withContext(ctx, body), make([]byte, 256<<10))
	if err != nil {
		return err
	}
	if n < size {
		return fmt.Errorf("read body: %w", io.ErrUnexpectedEOF)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return fmt.Errorf("the SHA-256 of the bytes is %s", got)
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
	file, err := disk.OpenIn(root, name)
	if err != nil {
		return nil, d.fail("get", name, err)
	}
	explain := func(err error) error { return d.fail("get", name, err) }
	return stream{explained(withContext(ctx, file), explain), file}, nil
}

func (d *directory) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		root, err := d.root()
		if err != nil {
			yield(Object{}, d.fail("list", prefix, err))
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
		err = walk(ctx, root, top, func(name string, entry fs.DirEntry) error {
			if !strings.HasPrefix(name, prefix) {
				return nil
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) { // deleted since
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
		if err != nil && !errors.Is(err, fs.SkipAll) {
			yield(Object{}, d.fail("list", prefix, err))
		}
	}
}

// walk calls visit with each file below a folder, in no order. walk reads some names at a
// time: [fs.WalkDir] needs memory for all names of a folder.
func walk(ctx context.Context, root *os.Root, folder string, visit func(string, fs.DirEntry) error) error {
	if strings.Count(folder, "/") == maxLevels || folder == tmp || folder == "lost+found" { // only root may read that
		return nil
	}
	f, err := root.OpenFile(folder, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return passedOver(folder, err)
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(1000)
		for _, entry := range entries {
			name := path.Join(folder, entry.Name())
			if ctx.Err() != nil {
				return ctx.Err()
			}
			var err error
			if entry.IsDir() {
				err = walk(ctx, root, name, visit)
			} else {
				err = visit(name, entry)
			}
			if err != nil {
				return err
			}
		}
		if err != nil {
			return passedOver(folder, err)
		}
	}
}

// passedOver returns nil for an error of a folder that a List passes over: the end of the
// folder, a folder that is gone, or a folder of another program.
func passedOver(folder string, err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR),
		errors.Is(err, fs.ErrPermission) && !possibleKind(folder):
		return nil
	}
	return err
}

// maxLevels is the number of levels of folders that a List searches. Objects lie in the
// first level. The time for a folder grows with the square of its depth, and a hostile
// user of the disk can make ten thousand levels.
const maxLevels = 16

// possibleKind reports whether a folder may hold objects.
func possibleKind(folder string) bool {
	return CheckName(folder+"/"+strings.Repeat("0", 64)) == nil || folder == "."
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

// root opens path. The error never wraps fs.ErrNotExist, the error of a missing
// object.
func (d *directory) root() (*os.Root, error) {
	root, err := disk.OpenRoot(d.path)
	switch {
	case err == nil:
		return root, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %w", ErrRights, err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing(d.path)
	case errors.Is(err, syscall.ENOTDIR):
		return nil, notFolder(d.path)
	}
	return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// notFolder is the error of a path that is a file, or lies below a file.
func notFolder(path string) error {
	for at := path; at != filepath.Dir(at); at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && !info.IsDir() {
			return &trouble{at + " is a file, not a folder", ErrNotFolder}
		}
	}
	return &trouble{path + " is no folder", ErrNotFolder}
}

// missing is the error of a folder that does not exist.
func missing(folder string) error {
	return &trouble{fmt.Sprintf("folder %s does not exist", folder), ErrNotMounted}
}

// fail adds verb, name and cause to an error; nil stays nil.
func (d *directory) fail(verb, name string, err error) error {
	var meaning error
	var errno syscall.Errno
	errors.As(err, &errno)
	switch errno {
	case syscall.ENOSPC, syscall.EDQUOT: // the trouble of the folder, of no single object
		return fmt.Errorf("%w: %w", d.full(errno), errno)
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
		return fmt.Errorf("%s%w: %w", action(verb, name), meaning, err)
	}
	return fmt.Errorf("%s%w", action(verb, name), err)
}

// full names what the folder's disk lacks.
func (d *directory) full(errno syscall.Errno) error {
	lacks := "the disk of %s is full"
	if room, err := disk.Free(d.path); err == nil && room.Files == 0 {
		lacks = "the disk of %s has no free inodes: no file can be made"
	}
	if errno == syscall.EDQUOT {
		lacks = "this user's quota on the disk of %s is used up"
	}
	return &trouble{fmt.Sprintf(lacks, d.path), ErrFull}
}

// makeFolder makes a folder in root, durably.
func makeFolder(root *os.Root, name string) error {
	err := root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		if info, err := root.Stat(name); err != nil || !info.IsDir() {
			return errors.Join(fmt.Errorf("%s is not a folder", name), err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	giveToUser(root, name)
	return syncIn(root, ".")
}

// giveToUser gives a file of root's to the user of the remote's folder: a single
// run as root must not lock the user out of the repository. File systems without
// users, and NFS, may refuse; the file is then not root's either.
func giveToUser(root *os.Root, name string) {
	if os.Geteuid() != 0 {
		return
	}
	if info, err := root.Stat("."); err == nil {
		if folder, ok := info.Sys().(*syscall.Stat_t); ok && folder.Uid != 0 {
			_ = root.Lchown(name, int(folder.Uid), int(folder.Gid))
		}
	}
}

// syncIn makes new names in a folder of root durable.
func syncIn(root *os.Root, folder string) error {
	f, err := root.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return disk.SyncOpenFolder(f)
}

// removeStale removes the unfinished objects of killed runs. A failure here must
// not fail a Put.
func removeStale(root *os.Root) {
	entries, _ := fs.ReadDir(root.FS(), tmp)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
			root.Remove(path.Join(tmp, entry.Name()))
		}
	}
}
