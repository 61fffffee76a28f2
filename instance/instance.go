// Package instance is a GoToSocial instance on this machine as the source of a
// backup: its database, its media in a folder or a bucket, its other files. Nothing
// here changes a byte of the instance.
package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// Instance is an instance on this machine. Its methods may be called
// concurrently.
type Instance struct {
	config  *gotosocial.Config
	options Options
	db      database
	media   store
}

// Options add to GoToSocial's own configuration. The zero value is right for an
// ordinary installation.
type Options struct {
	Extra  []string     // more files and folders for the files part, absolute
	Binary string       // GoToSocial's binary; default: its unit's, else on PATH, else in its working directory
	Bucket media.Client // of the media, where storage-backend is s3; closed with the instance
}

// Open checks the configuration and that database and media directory are
// there. It opens no connection yet, and no other Instance of this process may
// have one to the same database: another user than its owner reads its header.
func Open(c *gotosocial.Config, o Options) (*Instance, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	for _, path := range o.Extra {
		if !filepath.IsAbs(path) {
			return nil, &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("extra path %q is relative", path), Fix: "write it from the root: /" + path}
		}
	}
	i := &Instance{config: c, options: o}
	var err error
	if i.db, err = openDatabase(c); err != nil {
		return nil, err
	}
	if i.media, err = openStore(c, o.Bucket); err != nil {
		return nil, err
	}
	return i, nil
}

// Close lets go of the media.
func (i *Instance) Close() error { return i.media.Close() }

// Config is the configuration that the instance was opened with.
func (i *Instance) Config() *gotosocial.Config { return i.config }

// Begin opens one consistent view of the database, unless the media can't be
// read at all.
func (i *Instance) Begin(ctx context.Context) (vault.View, error) {
	if err := i.media.Reachable(ctx); err != nil {
		return nil, err
	}
	v, err := i.db.Begin(ctx, i.Domain())
	if err != nil {
		return nil, err
	}
	return known{v, i.Version(ctx), i.user(), cmp.Or(strings.ToLower(i.config.Get("account-domain")), i.Domain())}, nil
}

// known is a view that knows what no database tells.
type known struct {
	vault.View
	version, user, accountDomain string
}

func (v known) Facts() manifest.Facts {
	facts := v.View.Facts()
	facts.GoToSocial, facts.User, facts.AccountDomain = v.version, v.user, v.accountDomain
	return facts
}

// user is who owns what the server writes, the media or the SQLite database:
// "USER:GROUP", or "" where nothing tells.
func (i *Instance) user() string {
	place := i.config.Storage()
	if file := i.db.File(); file != "" && i.config.InBucket() {
		place = file
	}
	info, err := os.Stat(place)
	if err != nil {
		return ""
	}
	s := info.Sys().(*syscall.Stat_t)
	return ownerName(s.Uid, s.Gid)
}

// Domain is the instance's host.
func (i *Instance) Domain() string { return i.config.Domain() }

// Stat describes a file of the media or files part by size, mode, time and ETag.
// One that isn't there is fs.ErrNotExist; what is no regular file is an error too.
// Of media in a bucket it takes the least requests if it is asked in byte order.
func (i *Instance) Stat(ctx context.Context, part manifest.Part, path string) (manifest.File, error) {
	if err := check(ctx, path); err != nil {
		return manifest.File{}, err
	}
	switch part {
	case manifest.Media:
		return i.media.Stat(ctx, path)
	case manifest.Files:
		info, err := i.statFile("/" + path)
		if err != nil {
			return manifest.File{}, err
		}
		return media.FileOf(info)
	}
	return manifest.File{}, noFiles(part)
}

// Open reads a file of the media or files part.
func (i *Instance) Open(ctx context.Context, part manifest.Part, path string) (io.ReadCloser, error) {
	if err := check(ctx, path); err != nil {
		return nil, err
	}
	switch part {
	case manifest.Media:
		return i.media.Open(ctx, path)
	case manifest.Files:
		// Not opened before it is known not to be the database.
		if _, err := i.statFile("/" + path); err != nil {
			return nil, unreadable("/"+path, err)
		}
		f, err := disk.Open("/" + path)
		if err != nil {
			return nil, unreadable("/"+path, err)
		}
		return f, nil
	}
	return nil, noFiles(part)
}

// Reachable reports whether media can be read at all. A [Problem] says what to do
// about it.
func (i *Instance) Reachable(ctx context.Context) error { return i.media.Reachable(ctx) }

func noFiles(part manifest.Part) error { return fmt.Errorf("part %q has no files on disk", part) }

func check(ctx context.Context, path string) error {
	if !manifest.ValidPath(path) {
		return fmt.Errorf("%q is no path of a listing", path)
	}
	return ctx.Err()
}

// statFile describes a file outside of the media directory. The database is
// none, by whatever name: closing it here would drop the locks that SQLite
// holds on it for this process.
func (i *Instance) statFile(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if i.db.Holds(info) {
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
	err := i.db.EachLocalMedia(ctx, func(key string) {
		if asked[key] {
			named[key] = true
		}
	})
	return named, err
}
