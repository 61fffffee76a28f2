// Package rebuild puts a whole instance back on a machine, from a folder that a
// restore filled.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"holdfast/disk"
	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/manifest"
	"holdfast/remedy"
)

// Rebuild makes an instance again on this machine, at the places of its
// configuration, from a folder that [Directory] filled. Each step moves what it
// finds there, so that it can be repeated wherever it was cut off.
type Rebuild struct {
	Config   *gotosocial.Config // where everything belongs
	Facts    manifest.Facts
	Domain   string
	Run      string          // a random word, the same when a run goes on
	From     string          // the folder
	Files    []manifest.File // of the files part, as the listing has them
	User     string          // "USER:GROUP" that the server runs as; "" leaves all to who runs this
	Replace  bool            // what is there is renamed aside
	Verbatim bool            // the database stays as it was
	Given    bool            // Config is not the snapshot's
	Bucket   media.Client    // of the media, where the configuration's storage-backend is s3
}

// mover moves what is restored to its place.
func (r *Rebuild) mover() *disk.Mover {
	c := r.Config
	m := &disk.Mover{Run: r.Run, User: r.User, Replace: r.Replace, OwnTrees: []string{c.Absolute(c.Get("letsencrypt-cert-dir"))}}
	if !c.InBucket() {
		m.OwnTrees = append(m.OwnTrees, c.Storage())
	}
	if c.Engine() == gotosocial.SQLite {
		m.Own = []string{filepath.Dir(c.Database())}
	}
	return m
}

func (r *Rebuild) database() (instance.DatabaseTarget, error) {
	return instance.OpenDatabaseTarget(r.Config, r.mover(), r.Verbatim)
}

func (r *Rebuild) media() instance.MediaTarget {
	return instance.OpenMediaTarget(r.Config, r.Bucket, r.mover())
}

// Database puts the database in its place.
func (r *Rebuild) Database(ctx context.Context) (notes []string, err error) {
	target, err := r.database()
	if err != nil {
		return nil, err
	}
	notes, err = target.Put(ctx, r.From)
	return notes, inTheWay(err)
}

// Media puts the media in their place: on this machine's disk, or in the bucket.
func (r *Rebuild) Media(ctx context.Context) (notes []string, err error) {
	notes, err = r.media().Put(ctx, r.From)
	return notes, inTheWay(err)
}

// GiveStorage gives the storage folder to the server, which makes folders in it,
// also where it is a disk that was mounted. It comes last: whose a folder is may
// rename what is in it, and the work folder may be.
func (r *Rebuild) GiveStorage(context.Context) (notes []string, err error) {
	return nil, r.media().GiveToServer()
}

// Place puts the files part in its place: each under its old path, with its old
// owner. Links come last, so that they lead to what is there.
func (r *Rebuild) Place(ctx context.Context) (notes []string, err error) {
	m := r.mover()
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
		if same, err := disk.SameBytes(from, to); err != nil {
			return nil, err
		} else if !same {
			if _, err := m.Aside(to, ""); err != nil {
				return nil, inTheWay(err)
			}
		}
		if err := m.Move(from, to, f.User); err != nil {
			return nil, fmt.Errorf("place %s: %w", to, inTheWay(err))
		}
	}
	return []string{"files: " + remedy.Plural(len(r.Files), "file") + ", each where it was"}, nil
}

// inTheWay adds to the error of a step what helps where something is in its way.
func inTheWay(err error) error {
	var there *disk.InTheWay
	if !errors.As(err, &there) {
		return err
	}
	return &remedy.Error{Kind: remedy.Refused, Err: err, Fix: "--replace renames it to " + filepath.Base(there.Path) + disk.AsideSuffix}
}
