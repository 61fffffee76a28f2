package instance

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"holdfast/manifest"
	"holdfast/remedy"
)

// Rebuild makes an instance again on this machine, at the places of its
// configuration, from a folder that [Directory] filled. Each step moves what it
// finds there, so that it can be repeated wherever it was cut off.
type Rebuild struct {
	Config   *Config // where everything belongs
	Facts    manifest.Facts
	Domain   string
	Run      string          // a random word, the same when a run goes on
	From     string          // the folder
	Files    []manifest.File // of the files part, as the listing has them
	User     string          // "USER:GROUP" that the server runs as; "" leaves all to who runs this
	Replace  bool            // what is there is renamed aside
	Verbatim bool            // the database stays as it was
	Given    bool            // Config is not the snapshot's
	Bucket   Bucket          // of the media, where the configuration's storage-backend is s3
}

// Database puts the database in its place.
func (r *Rebuild) Database(ctx context.Context) (notes []string, err error) {
	if r.Config.Engine() == Postgres {
		p, err := openPostgres(r.Config)
		if err != nil {
			return nil, err
		}
		folder := filepath.Join(r.From, scripts)
		if _, err := os.Stat(filepath.Join(folder, restoreBy)); errors.Is(err, fs.ErrNotExist) {
			return nil, nil // it was loaded, and cleared away
		}
		notes, err = p.load(ctx, os.DirFS(folder), r.Run, r.Replace, r.Verbatim)
		if err != nil {
			return nil, err
		}
		return notes, os.RemoveAll(folder)
	}
	from, to := filepath.Join(r.From, databaseName), r.Config.Database()
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	aside, err := r.aside(to, databaseFiles...)
	if err != nil {
		return nil, err
	}
	if notes = []string{"database: " + to}; aside != "" {
		notes = append(notes, fmt.Sprintf("the database that was there is called %s now", aside))
	}
	uid, gid, err := r.owner(r.User)
	if err != nil {
		return nil, err
	}
	return notes, r.move(from, to, uid, gid)
}

// Media puts the media in their place: on this machine's disk, or in the bucket.
func (r *Rebuild) Media(ctx context.Context) (notes []string, err error) {
	if r.Config.InBucket() {
		return r.fill(ctx)
	}
	from, to := filepath.Join(r.From, "storage"), r.Config.Storage()
	uid, gid, err := r.owner(r.User)
	if err != nil {
		return nil, err
	}
	n := 0
	if err := r.makeFolder(filepath.Dir(to)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(to, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	err = filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return fs.SkipAll // an earlier run was through
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || entry.IsDir() {
			return err
		}
		key, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		n++
		return r.move(path, filepath.Join(to, key), uid, gid)
	})
	if err != nil {
		return nil, fmt.Errorf("place media: %w", err)
	}
	return []string{fmt.Sprintf("media: %s in %s", plural(n, "file"), to)}, os.RemoveAll(from)
}

// GiveStorage gives the storage folder to the server, which makes folders in it,
// also where it is a disk that was mounted. It comes last: whose a folder is may
// rename what is in it, and the work folder may be.
func (r *Rebuild) GiveStorage(context.Context) (notes []string, err error) {
	if r.Config.InBucket() {
		return nil, nil
	}
	uid, gid, err := r.owner(r.User)
	if err != nil {
		return nil, err
	}
	to := r.Config.Storage()
	if Guarded(filepath.Dir(to)) != nil {
		return nil, os.Lchown(to, uid, gid) // it may be a link by now, to anything
	}
	return nil, os.Chown(to, uid, gid)
}

func (r *Rebuild) fill(ctx context.Context) (notes []string, err error) {
	from := filepath.Join(r.From, "storage")
	root, err := os.OpenRoot(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // an earlier run was through
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f := &Filling{From: root, To: r.Bucket}
	if r.Replace {
		err = f.Resume(ctx)
	} else {
		err = f.Start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("place media: %w", err)
	}
	return []string{fmt.Sprintf("media: %s in bucket %s", plural(int(f.Files.Load()), "file"), r.Config.Get("storage-s3-bucket"))}, os.RemoveAll(from)
}

// Place puts the files part in its place: each under its old path, with its old
// owner. Links come last, so that they lead to what is there.
func (r *Rebuild) Place(ctx context.Context) (notes []string, err error) {
	files := slices.Clone(r.Files)
	slices.SortStableFunc(files, func(a, b manifest.File) int { return min(len(a.Link), 1) - min(len(b.Link), 1) })
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		from, to := filepath.Join(r.From, "files", f.Path), "/"+f.Path
		if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
			continue // an earlier run was here, or it was missing then
		}
		if same, err := sameFile(from, to); err != nil {
			return nil, err
		} else if !same {
			if _, err := r.aside(to, ""); err != nil {
				return nil, err
			}
		}
		uid, gid, err := r.owner(f.Owner)
		if err != nil {
			return nil, err
		}
		if err := r.move(from, to, uid, gid); err != nil {
			return nil, fmt.Errorf("place %s: %w", to, err)
		}
	}
	return []string{"files: " + plural(len(r.Files), "file") + ", each where it was"}, nil
}

// before ends the name of what a restore found in its way.
const before = ".before-restore"

// databaseFiles end the names of an SQLite database and of the files beside it.
var databaseFiles = []string{"", "-wal", "-shm", "-journal"}

// aside renames what stands at path with any of the endings, where that is wanted,
// to names that belong together: a database without its log lacks what was
// committed last. to is the new name, "" where nothing stood there.
func (r *Rebuild) aside(path string, endings ...string) (to string, err error) {
	stands := func(path string) bool { _, err := os.Lstat(path); return !errors.Is(err, fs.ErrNotExist) }
	endings = slices.DeleteFunc(slices.Clone(endings), func(ending string) bool { return !stands(path + ending) })
	switch {
	case len(endings) == 0:
		return "", nil
	case !r.Replace:
		return "", inTheWay(path + endings[0])
	}
	to = path + before
	for n := 2; slices.ContainsFunc(endings, func(ending string) bool { return stands(to + ending) }); n++ {
		to = path + before + strconv.Itoa(n)
	}
	// The file itself last: until then a run that was cut off comes to the same name.
	for _, ending := range slices.Backward(endings) {
		if err := os.Rename(path+ending, to+ending); err != nil {
			return "", err
		}
	}
	return to, nil
}

func inTheWay(path string) error {
	return &remedy.Error{Kind: remedy.Refused, What: path + " is there already", Fix: "--replace renames it to " + filepath.Base(path) + before}
}

// move renames a file, or copies it where it goes to another disk. Nothing
// partial ever stands under the new name, and nothing is overwritten: a file that
// is there already must be the same one.
func (r *Rebuild) move(from, to string, uid, gid int) error {
	if err := r.makeFolder(filepath.Dir(to)); err != nil {
		return err
	}
	if err := os.Lchown(from, uid, gid); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) {
		if err = r.copyBeside(from, to, uid, gid); err == nil {
			err = os.Remove(from)
		}
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if same, err := sameFile(from, to); err != nil || !same {
		return cmp.Or(err, inTheWay(to))
	}
	return os.Remove(from)
}

// copyBeside copies a file under another name first. A link, unlike a rename,
// replaces nothing. That name nobody else can guess, who might write into the
// folder, and what a run that was cut off left under it is taken away.
func (r *Rebuild) copyBeside(from, to string, uid, gid int) error {
	temp := filepath.Join(filepath.Dir(to), ".holdfast-"+r.Run)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer os.Remove(temp)
	if err := copyFile(from, temp, uid, gid); err != nil {
		return err
	}
	return os.Link(temp, to)
}

func copyFile(from, to string, uid, gid int) error {
	if link, err := os.Readlink(from); err == nil {
		return copyLink(from, link, to, uid, gid)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := errors.Join(out.Chown(uid, gid), out.Chmod(info.Mode().Perm()), out.Sync(), out.Close()); err != nil {
		return err
	}
	return setTime(to, info)
}

func copyLink(from, link, to string, uid, gid int) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := errors.Join(os.Symlink(link, to), os.Lchown(to, uid, gid)); err != nil {
		return err
	}
	return setTime(to, info)
}

// setTime follows no link.
func setTime(path string, like fs.FileInfo) error {
	at := unix.NsecToTimespec(like.ModTime().UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// sameFile reports whether both hold the same bytes, or are links to the same.
func sameFile(a, b string) (bool, error) {
	if link, err := os.Readlink(a); err == nil {
		there, err := os.Readlink(b)
		return err == nil && there == link, nil
	}
	infoA, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	infoB, err := os.Lstat(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !infoB.Mode().IsRegular() || infoA.Size() != infoB.Size() {
		return false, err
	}
	fileA, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer fileA.Close()
	fileB, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer fileB.Close()
	bufA, bufB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(fileA, bufA)
		m, errB := io.ReadFull(fileB, bufB)
		if n != m || !bytes.Equal(bufA[:n], bufB[:m]) {
			return false, nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return true, nil
		}
		if err = cmp.Or(err, errB); err != nil {
			return false, err
		}
	}
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// RestoredConfig is GoToSocial's configuration out of a restored folder, with the
// places that everything had.
func RestoredConfig(folder fs.FS, domain string) (*Config, error) {
	found := (&Directory{Path: "/"}).findRemains(folder, domain)
	switch {
	case found.config == nil:
		return nil, fmt.Errorf("the snapshot has no configuration of %s", domain)
	case len(found.others) > 0:
		return nil, fmt.Errorf("the snapshot has several configuration files of %s: %s and %s", domain, found.config.File, strings.Join(found.others, ", "))
	}
	found.config.File = strings.TrimPrefix(found.config.File, "/files")
	return found.config, nil
}

// RunsAs is "USER:GROUP" that the restored unit runs the server as, "USER:" where
// the group is the user's own, "" where it says nothing.
func (c *Config) RunsAs() string {
	user, group, _ := strings.Cut(c.runAs, ":")
	if user == "" && group == "" {
		return ""
	}
	return cmp.Or(user, "root") + ":" + group
}

// RunLike takes over what only a unit says, out of the restored configuration: who
// runs the server, and which program that is.
func (c *Config) RunLike(restored *Config) { c.Binary, c.runAs = restored.Binary, restored.runAs }
