package instance

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/remedy"
)

// Files yields the files part in path order: the configuration, the systemd unit with
// its drop-ins, environment files, certificates, the configured web folders, and the
// extra paths, and Holdfast's own configuration. The web folders come whole, with the files of
// GoToSocial's release. The folders come too, and all folders above. Pipes and sockets are
// left out.
//
// A symbolic link comes as a link, together with the file that the link leads to. A
// configured link to a folder also brings the folder; a link inside a folder does
// not. A link inside a folder that belongs to another user than root brings only
// files of that user. No path lies below the path of a link.
//
// A file that no snapshot can hold comes with an error. The error is errors.ErrUnsupported if a link leads to something
// that the snapshot leaves out. An error without a path ends the list.
func (i *Instance) Files(ctx context.Context) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		g := &gathering{Instance: i, all: map[string]*entry{}, walked: map[string]bool{}, led: map[string]leftOut{},
			users: map[string]string{}}
		for _, path := range i.roots() {
			if err := g.gather(ctx, path); err != nil {
				yield(manifest.File{}, err)
				return
			}
		}
		for _, path := range i.config.StarterFiles {
			g.starterFile(path)
		}
		if err := g.holdfast(ctx); err != nil {
			yield(manifest.File{}, err)
			return
		}
		g.moveBelowLinks()
		g.nameLed()
		g.addFoldersAbove()
		for _, path := range slices.Sorted(maps.Keys(g.all)) {
			e := g.all[path]
			delete(g.all, path) // the caller may keep the file, and memory holds each file once
			if !yield(e.file, e.err) {
				return
			}
		}
		for n, why := range g.unsavedRights() {
			// The slashes keep the path apart from those of files.
			if !yield(manifest.File{Part: manifest.Files, Path: strings.Repeat("/", n+2)}, why) {
				return
			}
		}
	}
}

// Around returns the folder of the files part that contains the path, also through
// links, or "". Holdfast must not write to such a folder: each backup would store the
// backups before it.
func (i *Instance) Around(path string) string { return disk.Around(path, i.roots()...) }

// roots returns the files and folders of the files part that exist, and all extra
// paths: a missing extra path is worth an error.
func (i *Instance) roots() []string {
	c := i.config
	roots := append([]string{
		c.File,
		c.Absolute(c.Get("letsencrypt-cert-dir")),
		// The default folder, relative to the storage.
		c.Absolute(filepath.Join(c.Get("storage-local-base-path"), "certs")),
		c.Absolute(c.Get("tls-certificate-chain")),
		c.Absolute(c.Get("tls-certificate-key")),
		c.Absolute(c.Get("web-template-base-dir")),
		c.Absolute(c.Get("web-asset-base-dir")),
	}, c.ServiceFiles...)
	roots = slices.DeleteFunc(roots, func(path string) bool {
		info, err := os.Stat(path)
		// A masked unit is a link to /dev/null.
		masked := err == nil && !info.IsDir() && !info.Mode().IsRegular()
		if errors.Is(err, fs.ErrNotExist) { // a link without a target exists
			_, err = os.Lstat(path)
		}
		return path == "" || masked || errors.Is(err, fs.ErrNotExist)
	})
	return append(roots, i.options.Extra...)
}

// starterFile adds a file that starts the container, if the file exists. The server's user
// may write to the folder of a compose file.
func (g *gathering) starterFile(path string) {
	if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() {
		g.met(path)
	}
}

// holdfast adds Holdfast's own configuration, with the mark. The mark of a link belongs
// to the link's target.
func (g *gathering) holdfast(ctx context.Context) error {
	path := g.options.Holdfast
	if path == "" {
		return nil
	}
	if err := g.gather(ctx, path); err != nil {
		return err
	}
	if end, _, err := g.follow(filepath.Clean(path), anywhere); err == nil {
		if e := g.all[listed(end)]; e != nil && e.file.Link == "" {
			e.file.Holdfast = true
		}
	}
	return nil
}

// listed returns an absolute path in the form of the listing.
func listed(path string) string { return manifest.StandIn(inRoot(path)) }

// inRoot returns an absolute path without the first slash.
func inRoot(path string) string { return strings.TrimPrefix(filepath.Clean(path), "/") }

func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &remedy.Error{Kind: remedy.Source, What: "can't read " + path, Err: err,
			Fix: "run Holdfast as root, or let Holdfast's user read the file"}
	case errors.Is(err, fs.ErrNotExist):
		return &remedy.Error{Kind: remedy.Source, What: "can't find " + path, Err: fs.ErrNotExist,
			Fix: "correct or remove the extra path"}
	}
	return err
}
