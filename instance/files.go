package instance

import (
	"context"
	"errors"
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

// Files yields the files part in path order: the configuration, the systemd unit
// with its drop-ins, environment files, certificates, the web folders that the
// configuration names, and the extra paths. The web folders are kept whole: what
// of them GoToSocial's release brought only the release could tell. A symbolic
// link to a file counts as that file; one to a folder is followed where it is
// named outright, not where it is met within a folder. Empty folders, pipes and
// sockets are passed over.
//
// A file that no snapshot can hold comes with the reason as its error, and its
// path may be none of a listing. The reason is errors.ErrUnsupported for a link
// that leads to no file. An error without a path ends the list.
func (i *Instance) Files(ctx context.Context) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		all := map[string]found{}
		for _, path := range i.roots() {
			if err := i.gather(ctx, path, all); err != nil {
				yield(manifest.File{}, err)
				return
			}
		}
		for _, path := range slices.Sorted(maps.Keys(all)) {
			if !yield(all[path].file, all[path].err) {
				return
			}
		}
	}
}

// found is a file, or what keeps it from being saved.
type found struct {
	file manifest.File
	err  error
}

// Around is the folder of the files part that path is or lies in, also where
// links lead there; "" where it lies in none. What Holdfast itself writes must
// not: each backup would store the ones before it.
func (i *Instance) Around(path string) string {
	real, err := filepath.EvalSymlinks(path)
	for errors.Is(err, fs.ErrNotExist) { // it is made later
		path = filepath.Dir(path)
		real, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return ""
	}
	for {
		dir, err := os.Stat(real)
		if err != nil {
			return ""
		}
		for _, root := range i.roots() {
			if info, err := os.Stat(root); err == nil && os.SameFile(info, dir) {
				return root
			}
		}
		if real == filepath.Dir(real) {
			return ""
		}
		real = filepath.Dir(real)
	}
}

// roots are the files and folders of the files part that exist. The extra
// paths are asked for, so they stay even where they don't.
func (i *Instance) roots() []string {
	c := i.config
	roots := append([]string{
		c.File,
		c.absolute(c.Get("letsencrypt-cert-dir")),
		// The default's place, seen from where the storage is.
		c.absolute(filepath.Join(c.Get("storage-local-base-path"), "certs")),
		c.absolute(c.Get("tls-certificate-chain")),
		c.absolute(c.Get("tls-certificate-key")),
		c.absolute(c.Get("web-template-base-dir")),
		c.absolute(c.Get("web-asset-base-dir")),
	}, c.service...)
	roots = slices.DeleteFunc(roots, func(path string) bool {
		info, err := os.Stat(path)
		// A masked unit is a link to /dev/null.
		masked := err == nil && !info.IsDir() && !info.Mode().IsRegular()
		return path == "" || masked || errors.Is(err, fs.ErrNotExist)
	})
	return append(roots, i.options.Extra...)
}

// gather adds the files at root and below. What is gone by its turn is left out.
func (i *Instance) gather(ctx context.Context, root string, all map[string]found) error {
	info, err := i.statFile(root)
	switch {
	case errors.Is(err, errDatabase):
		return nil
	case err != nil, !info.IsDir():
		add(root, info, err, all)
		return nil
	}
	top := filepath.Clean(root) + "/" // the slash makes a link to a folder count as the folder
	return filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		link := entry.Type()&fs.ModeSymlink != 0
		if err == nil && (link || entry.IsDir() || entry.Type().IsRegular()) {
			info, err = i.statFile(path)
		}
		switch {
		case errors.Is(err, errDatabase):
			return nil
		case link && i.extra(path):
			return nil // it is a root of its own
		case link && !errors.Is(err, fs.ErrPermission) && (err != nil || !info.Mode().IsRegular()):
			err = leadsNowhere(path, info, err)
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			// A folder that can't be looked into counts as a file that doesn't open.
		case entry.IsDir() && i.media.is(info):
			// Media are the media part's; only certificates lie there too.
			return fs.SkipDir
		case entry.IsDir():
			if manifest.ValidPath(listed(path)) {
				return nil
			}
			add(path, info, nil, all)
			return fs.SkipDir
		case !link && !entry.Type().IsRegular():
			return nil
		}
		add(path, info, err, all)
		return nil
	})
}

// extra reports whether path is one of the extra paths itself.
func (i *Instance) extra(path string) bool {
	return slices.ContainsFunc(i.options.Extra, func(extra string) bool { return filepath.Clean(extra) == path })
}

// linkError is why a link is left out. It is an [errors.ErrUnsupported].
type linkError string

func (e linkError) Error() string        { return string(e) }
func (e linkError) Is(target error) bool { return target == errors.ErrUnsupported }

func leadsNowhere(path string, info fs.FileInfo, err error) error {
	switch {
	case err != nil:
		return linkError(path + " is a link to nothing that is there")
	case info.IsDir():
		return linkError(path + " is a link to a folder, which can be an extra path of its own")
	}
	return linkError(path + " is a link to what is no file")
}

// listed is an absolute path as the listing has it.
func listed(path string) string { return strings.TrimPrefix(filepath.Clean(path), "/") }

// add adds a file, or why it can't be saved.
func add(path string, info fs.FileInfo, err error, all map[string]found) {
	f := manifest.File{Part: manifest.Files, Path: listed(path)}
	switch {
	case !manifest.ValidPath(f.Path):
		err = &Problem{What: "a line break, or what is no UTF-8, in its name", Fix: "rename it"}
	case err != nil:
		err = unreadable(path, err)
	case !info.Mode().IsRegular():
		err = &Problem{What: path + " is no regular file", Fix: "leave it out of the extra paths"}
	default:
		s := info.Sys().(*syscall.Stat_t)
		f.Size, f.Mode, f.Modified = info.Size(), manifest.Mode(info.Mode().Perm()), info.ModTime()
		f.Owner = ownerName(s.Uid, s.Gid)
	}
	all[f.Path] = found{f, err}
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
