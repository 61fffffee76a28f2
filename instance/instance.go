// Package instance is the GoToSocial instance of this machine as the source of a
// backup: its database, its media in a folder or bucket, and its other files.
// Reading an instance changes none of its bytes.
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
	"time"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// Instance is an instance on this machine: a [vault.DatabaseSource] and
// [vault.FileSource]. Several goroutines may call its methods.
type Instance struct {
	config  *gotosocial.Config
	options Options
	db      database
	media   store
}

// Options extend GoToSocial's own configuration. The zero value suits an ordinary
// installation.
type Options struct {
	Extra  []string // more files and folders for the files part, absolute
	Binary string   // GoToSocial's binary; default: its unit's, else on PATH, else in its working directory
	// Holdfast is Holdfast's own configuration file, absolute, or "".
	Holdfast string
	Bucket   media.Client // reaches the media if storage-backend is s3; closed with the instance
}

// Open checks the configuration, and that the database exists. For the media folder see
// [Instance.MediaProblem]. Open makes no connection. No other Instance of this process
// may have a connection to the same SQLite database: Open may read the file's header.
func Open(c *gotosocial.Config, o Options) (*Instance, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	for _, path := range o.Extra {
		if !filepath.IsAbs(path) {
			return nil, &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("extra path %q is relative", path),
				Fix: "write the path from the root: /" + path}
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

// MediaProblem returns why the media folder can't be read, or nil. A backup saves
// everything else, and names all media as missing.
func (i *Instance) MediaProblem() error { return i.media.Problem() }

// Close closes the media.
func (i *Instance) Close() error { return i.media.Close() }

// Config returns the configuration of the instance.
func (i *Instance) Config() *gotosocial.Config { return i.config }

// Begin opens a consistent view of the database. If no media can be read, Begin
// returns an error.
func (i *Instance) Begin(ctx context.Context) (vault.View, error) {
	if err := i.media.Reachable(ctx); err != nil {
		return nil, err
	}
	v, err := i.db.Begin(ctx, i.Domain())
	if err != nil {
		return nil, err
	}
	return completeView{v, i}, nil
}

// completeView is a view with the facts that no database holds.
type completeView struct {
	vault.View
	instance *Instance
}

// LeftOut names what the database holds and the snapshot does not.
func (v completeView) LeftOut() []string {
	if partial, ok := v.View.(vault.Partial); ok {
		return partial.LeftOut()
	}
	return nil
}

// Refused says what in the database a restore will refuse.
func (v completeView) Refused() []string {
	if partial, ok := v.View.(vault.Partial); ok {
		return partial.Refused()
	}
	return nil
}

// Facts asks GoToSocial's program for its version.
func (v completeView) Facts(ctx context.Context) (manifest.Facts, time.Time) {
	facts, moment := v.View.Facts(ctx)
	i := v.instance
	facts.GoToSocial, facts.User = i.Version(ctx), i.user()
	facts.AccountDomain = i.config.AccountDomain()
	return facts, moment
}

// user returns "USER:GROUP" of the media folder or else of the SQLite database, which
// belong to the server; by number if the server runs in a container. Without either user
// returns "".
func (i *Instance) user() string {
	database, media := i.config.LocalPlaces()
	info, err := os.Stat(cmp.Or(media, database, i.config.Storage()))
	if err != nil {
		return ""
	}
	if i.config.Container {
		return userByNumber(info)
	}
	return userByName(info)
}

// Domain returns the domain of the instance.
func (i *Instance) Domain() string { return i.config.Domain() }

// Stat returns the size, mode, time and, if known, ETag of a file of the media or files
// part. A missing file is fs.ErrNotExist. Anything but a regular file is an error.
// For media in a bucket, calls in byte order cost the fewest requests.
func (i *Instance) Stat(ctx context.Context, part manifest.Part, path string) (manifest.File, error) {
	if err := check(ctx, part, path); err != nil {
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

// Open opens a file of the media or files part. The caller closes the file.
func (i *Instance) Open(ctx context.Context, part manifest.Part, path string) (io.ReadCloser, error) {
	if err := check(ctx, part, path); err != nil {
		return nil, err
	}
	switch part {
	case manifest.Media:
		return i.media.Open(ctx, path)
	case manifest.Files:
		// The check comes first: the live database must not be opened here.
		if _, err := i.statFile("/" + path); err != nil {
			return nil, unreadable("/"+path, err)
		}
		f, err := disk.Open("/" + path)
		if err != nil {
			return nil, unreadable("/"+path, err)
		}
		return openFile{f, func(info fs.FileInfo) string { return i.userOf("/"+path, info) }}, nil
	}
	return nil, noFiles(part)
}

// Reachable returns an error if no media can be read.
func (i *Instance) Reachable(ctx context.Context) error { return i.media.Reachable(ctx) }

func noFiles(part manifest.Part) error { return fmt.Errorf("part %q has no files", part) }

// check checks a path of the media, or a true path of the files.
func check(ctx context.Context, part manifest.Part, path string) error {
	listed := path
	if part == manifest.Files {
		listed = manifest.StandIn(path)
	}
	if !manifest.ValidPath(listed) {
		return fmt.Errorf("%q is not a path of a listing", path)
	}
	return ctx.Err()
}

// statFile describes a file of the files part. It refuses the live database under
// every name: closing the database here would drop the locks that SQLite holds for
// this process.
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

// Named reports which of the media paths a local row of the live database names.
func (i *Instance) Named(ctx context.Context, paths []string) (map[string]bool, error) {
	named := make(map[string]bool, len(paths))
	if len(paths) == 0 {
		return named, nil
	}
	asked := make(map[string]bool, len(paths))
	for _, path := range paths {
		asked[path] = true
	}
	// The database has no index of paths, so one query answers for all paths.
	err := i.db.EachLocalMedia(ctx, func(key string) {
		if asked[key] {
			named[key] = true
		}
	})
	return named, err
}
