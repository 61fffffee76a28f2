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
		filepath.Join(c.Storage(), "certs"),
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

// gather adds the files at root and below.
func (i *Instance) gather(ctx context.Context, root string, found map[string]manifest.File) error {
	info, err := i.statFile(root)
	if err != nil {
		return unreadable(root, err)
	}
	if !info.IsDir() {
		return add(root, info, found)
	}
	media, err := i.storage.Stat(".")
	if err != nil {
		return err
	}
	// The slash makes a link to a folder count as the folder.
	return filepath.WalkDir(filepath.Clean(root)+"/", func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return unreadable(path, err)
		}
		if entry.IsDir() {
			// Media are the media part's; only certificates lie there too.
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) || err == nil && os.SameFile(info, media) {
				return fs.SkipDir
			}
			return err
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		info, err := i.statFile(path)
		switch {
		case errors.Is(err, errDatabase), errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return unreadable(path, err)
		}
		return add(path, info, found)
	})
}

func add(path string, info fs.FileInfo, found map[string]manifest.File) error {
	name := strings.TrimPrefix(filepath.Clean(path), "/")
	if !info.Mode().IsRegular() || !manifest.ValidPath(name) {
		return &Problem{What: fmt.Sprintf("%q is no regular file with a plain name", path), Fix: "leave it out of the extra paths, or rename it"}
	}
	s := info.Sys().(*syscall.Stat_t)
	found[name] = manifest.File{
		Part:     manifest.Files,
		Path:     name,
		Size:     info.Size(),
		Mode:     manifest.Mode(info.Mode().Perm()),
		Modified: info.ModTime(),
		Owner:    ownerName(s.Uid, s.Gid),
	}
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
