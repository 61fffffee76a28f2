package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"holdfast/manifest"
)

// Files yields the files part in path order: the configuration, certificates,
// the web folders that the configuration names, the systemd unit, and the
// extra paths. Regular files only; a symbolic link is followed where it is
// named outright, not where it is met within a folder.
func (i *Instance) Files(ctx context.Context) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		found := map[string]manifest.File{}
		for _, path := range i.roots() {
			if err := i.gather(ctx, path, found); err != nil {
				yield(manifest.File{}, err)
				return
			}
		}
		for _, path := range slices.Sorted(maps.Keys(found)) {
			if !yield(found[path], nil) {
				return
			}
		}
	}
}

// roots are the files and folders of the files part that exist. The extra
// paths are asked for, so they stay even where they don't.
func (i *Instance) roots() []string {
	c := i.config
	roots := []string{
		c.File,
		c.absolute(c.Get("letsencrypt-cert-dir")),
		// The default's place, seen from where the storage is.
		c.absolute(filepath.Join(c.Get("storage-local-base-path"), "certs")),
		c.absolute(c.Get("tls-certificate-chain")),
		c.absolute(c.Get("tls-certificate-key")),
		c.absolute(c.Get("web-template-base-dir")),
		c.absolute(c.Get("web-asset-base-dir")),
		i.options.Unit,
		i.options.Unit + ".d",
	}
	roots = slices.DeleteFunc(roots, func(path string) bool {
		info, err := os.Stat(path)
		// A masked unit is a link to /dev/null.
		masked := err == nil && !info.IsDir() && !info.Mode().IsRegular()
		return path == "" || masked || errors.Is(err, fs.ErrNotExist)
	})
	return append(roots, i.options.Extra...)
}

// gather adds the files at root and below. What is gone by its turn is left out.
func (i *Instance) gather(ctx context.Context, root string, found map[string]manifest.File) error {
	info, err := i.statFile(root)
	if err != nil {
		return unreadable(root, err)
	}
	if !info.IsDir() {
		return add(root, info, found)
	}
	top := filepath.Clean(root) + "/" // the slash makes a link to a folder count as the folder
	return filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && (entry.IsDir() || entry.Type().IsRegular()) {
			info, err = i.statFile(path)
		}
		switch {
		case errors.Is(err, errDatabase), errors.Is(err, fs.ErrNotExist):
			return nil
		case errors.Is(err, fs.ErrPermission) && path != top:
			// A file that doesn't open, even where it is a folder: a backup then
			// goes on, names it as missing and says why.
			return add(path, nil, found)
		case err != nil:
			return unreadable(path, err)
		case entry.IsDir() && i.media.is(info):
			// Media are the media part's; only certificates lie there too.
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		return add(path, info, found)
	})
}

// add adds a file; info is nil where nobody could look.
func add(path string, info fs.FileInfo, found map[string]manifest.File) error {
	f := manifest.File{Part: manifest.Files, Path: strings.TrimPrefix(filepath.Clean(path), "/")}
	if info != nil && !info.Mode().IsRegular() || !manifest.ValidPath(f.Path) {
		return &Problem{What: fmt.Sprintf("%q is no regular file with a plain name", path), Fix: "leave it out of the extra paths, or rename it"}
	}
	if info != nil {
		s := info.Sys().(*syscall.Stat_t)
		f.Size, f.Mode, f.Modified = info.Size(), manifest.Mode(info.Mode().Perm()), info.ModTime()
		f.Owner = ownerName(s.Uid, s.Gid)
	}
	found[f.Path] = f
	return nil
}

func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &Problem{What: "can't read " + path, Err: err, Fix: "run Holdfast as root, or let its user read the file"}
	case errors.Is(err, fs.ErrNotExist):
		return &Problem{What: "no " + path, Err: err, Fix: "correct the extra paths of Holdfast's configuration"}
	}
	return err
}

// ownerName is "USER:GROUP", by number where there is no name.
func ownerName(uid, gid uint32) string {
	u, g := strconv.Itoa(int(uid)), strconv.Itoa(int(gid))
	if known, err := user.LookupId(u); err == nil {
		u = known.Username
	}
	if known, err := user.LookupGroupId(g); err == nil {
		g = known.Name
	}
	return u + ":" + g
}
