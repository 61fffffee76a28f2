// Package instance is the GoToSocial instance, read and written: its
// configuration, its SQLite database, its media directory, its other files,
// and the folder that a restore makes of them. Nothing here changes a byte of
// the instance that it reads.
package instance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"syscall"

	"holdfast/manifest"
)

// Instance is an instance on this machine. Its methods may be called
// concurrently.
type Instance struct {
	config  *Config
	options Options
	db      database
	storage *os.Root
}

// The engines, as records name them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// database is the instance's database, of either engine.
type database interface {
	// begin opens one consistent view. host is the instance's own account.
	begin(ctx context.Context, host string) (View, error)

	// localKeys tells the storage keys of local media, in a transaction of its own.
	localKeys(ctx context.Context, key func(string)) error

	// look lets use see the tables at one moment.
	look(ctx context.Context, host string, use func(tables) error) error

	// holds reports whether a file is the live database's own.
	holds(fs.FileInfo) bool
}

// View is the database at one moment; package vault says what each method
// promises.
type View interface {
	Facts() manifest.Facts
	Database() []manifest.File
	OpenDatabase(ctx context.Context, path string) (io.ReadCloser, error)
	Media(ctx context.Context) iter.Seq2[string, error]
	Close() error
}

// Options add to GoToSocial's own configuration. The zero value is right for an
// ordinary installation.
type Options struct {
	Extra  []string // more files and folders for the files part, absolute
	Binary string   // GoToSocial's binary; default: its unit's, else on PATH, else in its working directory
}

// Open checks the configuration and that database and media directory are
// there. It opens no connection yet, and no other Instance of this process may
// have one to the same database: another user than its owner reads its header.
func Open(c *Config, o Options) (*Instance, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, path := range o.Extra {
		if !filepath.IsAbs(path) {
			return nil, &Problem{What: fmt.Sprintf("extra path %q is relative", path), Fix: "write it from the root: /" + path}
		}
	}
	i := &Instance{config: c, options: o}
	var err error
	if i.db, err = openDatabase(c); err != nil {
		return nil, err
	}
	if i.storage, err = os.OpenRoot(c.Storage()); err != nil {
		return nil, unopened("media directory", err, c.relative("storage-local-base-path"))
	}
	return i, nil
}

// openDatabase finds the database, of either engine.
func openDatabase(c *Config) (database, error) {
	if c.Engine() == Postgres {
		return openPostgres(c)
	}
	return openSQLite(c)
}

func unopened(what string, err error, fix string) error {
	if errors.Is(err, fs.ErrPermission) {
		return &Problem{What: "can't read the " + what, Err: err, Fix: "run Holdfast as root or as the user who owns it"}
	}
	return &Problem{What: "no " + what, Err: err, Fix: fix}
}

// Close lets go of the media directory.
func (i *Instance) Close() error { return i.storage.Close() }

// Config is the configuration that the instance was opened with.
func (i *Instance) Config() *Config { return i.config }

// Begin opens one consistent view of the database.
func (i *Instance) Begin(ctx context.Context) (View, error) {
	v, err := i.db.begin(ctx, i.Domain())
	if err != nil {
		return nil, err
	}
	return described{v, i.Version(ctx), i.user()}, nil
}

// described is a view that knows what no database tells.
type described struct {
	View
	version, user string
}

func (v described) Facts() manifest.Facts {
	facts := v.View.Facts()
	facts.GoToSocial, facts.User = v.version, v.user
	return facts
}

// user is who owns the media directory: "USER:GROUP", or "" where nobody tells.
func (i *Instance) user() string {
	info, err := i.storage.Stat(".")
	if err != nil {
		return ""
	}
	s := info.Sys().(*syscall.Stat_t)
	return ownerName(s.Uid, s.Gid)
}

// Domain is the instance's host.
func (i *Instance) Domain() string { return i.config.Domain() }

// Stat describes a file of the media or files part. One that isn't there is
// fs.ErrNotExist; what is no regular file is an error too.
func (i *Instance) Stat(ctx context.Context, part manifest.Part, path string) (fs.FileInfo, error) {
	if err := check(ctx, path); err != nil {
		return nil, err
	}
	var info fs.FileInfo
	var err error
	switch part {
	case manifest.Media:
		info, err = i.storage.Stat(path)
	case manifest.Files:
		info, err = i.statFile("/" + path)
	default:
		err = fmt.Errorf("part %q has no files on disk", part)
	}
	return info, regular(info, err)
}

// Open reads a file of the media or files part. A media file lies within the
// media directory, wherever symbolic links in it point.
func (i *Instance) Open(ctx context.Context, part manifest.Part, path string) (io.ReadCloser, error) {
	if err := check(ctx, path); err != nil {
		return nil, err
	}
	var f *os.File
	var err error
	switch part {
	case manifest.Media:
		f, err = opened(i.storage.OpenFile(path, readOnly, 0))
	case manifest.Files:
		// Not opened before it is known not to be the database.
		if _, err = i.statFile("/" + path); err == nil {
			f, err = openFile("/" + path)
		}
		err = unreadable("/"+path, err)
	default:
		err = fmt.Errorf("part %q has no files on disk", part)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// readOnly doesn't wait for a pipe's other end where a file became one.
const readOnly = os.O_RDONLY | syscall.O_NONBLOCK

// openFile opens a regular file.
func openFile(path string) (*os.File, error) { return opened(os.OpenFile(path, readOnly, 0)) }

func check(ctx context.Context, path string) error {
	if !manifest.ValidPath(path) {
		return fmt.Errorf("%q is no path of a listing", path)
	}
	return ctx.Err()
}

func opened(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	if err := regular(f.Stat()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func regular(info fs.FileInfo, err error) error {
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", info.Name())
	}
	return err
}

// statFile describes a file outside of the media directory. The database is
// none, by whatever name: closing it here would drop the locks that SQLite
// holds on it for this process.
func (i *Instance) statFile(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if i.db.holds(info) {
		return nil, fmt.Errorf("%s: %w", path, errDatabase)
	}
	return info, nil
}

var errDatabase = errors.New("the live database belongs to the database part")

// Named reports which of the media paths a local row of the live database
// still names.
func (i *Instance) Named(ctx context.Context, paths []string) (map[string]bool, error) {
	named := make(map[string]bool, len(paths))
	if len(paths) == 0 {
		return named, nil
	}
	asked := make(map[string]bool, len(paths))
	for _, path := range paths {
		asked[path] = true
	}
	// No index leads from a path to its row, so one pass answers for all.
	err := i.db.localKeys(ctx, func(key string) {
		if asked[key] {
			named[key] = true
		}
	})
	return named, err
}

// localKeys are the storage keys of local media, as `gotosocial admin media
// list-attachments --local-only` and `list-emojis --local-only` select them. Both
// engines read it.
const localKeys = `
	SELECT file_path FROM media_attachments WHERE COALESCE(remote_url,'')='' AND file_path<>'' UNION
	SELECT thumbnail_path FROM media_attachments WHERE COALESCE(remote_url,'')='' AND thumbnail_path<>'' UNION
	SELECT image_path FROM emojis WHERE COALESCE(image_remote_url,'')='' AND image_path<>'' UNION
	SELECT image_static_path FROM emojis WHERE COALESCE(image_remote_url,'')='' AND image_static_path<>''`
