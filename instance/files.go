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

	"holdfast/manifest"
	"holdfast/remedy"
)

// Files yields the files part in path order: the configuration, the systemd unit
// with its drop-ins, environment files, certificates, the web folders that the
// configuration names, and the extra paths. The web folders are kept whole: what
// of them GoToSocial's release brought only the release could tell. A symbolic
// link is one, and the file that it leads to comes with it; so does a folder
// where the link is named outright, not where it is met within a folder. There a
// link of another user than root brings no file but his own. No path lies below a
// link's. Empty folders, pipes and sockets are passed over.
//
// A file that no snapshot can hold comes with the reason as its error, and its
// path may be none of a listing. The reason is errors.ErrUnsupported for what a
// link leads to and nothing saves. An error without a path ends the list.
func (i *Instance) Files(ctx context.Context) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		g := &gathering{Instance: i, all: map[string]found{}, walked: map[string]bool{}, led: map[string]leftOut{}}
		for _, path := range i.roots() {
			if err := g.gather(ctx, path); err != nil {
				yield(manifest.File{}, err)
				return
			}
		}
		g.place()
		g.nameLed()
		for _, path := range slices.Sorted(maps.Keys(g.all)) {
			if !yield(g.all[path].file, g.all[path].err) {
				return
			}
		}
	}
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
		c.Absolute(c.Get("letsencrypt-cert-dir")),
		// The default's place, seen from where the storage is.
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
		if errors.Is(err, fs.ErrNotExist) { // a link to it may be
			_, err = os.Lstat(path)
		}
		return path == "" || masked || errors.Is(err, fs.ErrNotExist)
	})
	return append(roots, i.options.Extra...)
}

// listed is an absolute path as the listing has it.
func listed(path string) string { return strings.TrimPrefix(filepath.Clean(path), "/") }

func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &remedy.Error{Kind: remedy.Source, What: "can't read " + path, Err: err, Fix: "run Holdfast as root, or let its user read the file"}
	case errors.Is(err, fs.ErrNotExist):
		return &remedy.Error{Kind: remedy.Source, What: "no " + path, Err: err, Fix: "correct the extra paths of Holdfast's configuration"}
	}
	return err
}

// ownerName is "USER:GROUP", by number where there is no name, or one that the
// listing can't hold.
func ownerName(uid, gid uint32) string {
	u, g := strconv.Itoa(int(uid)), strconv.Itoa(int(gid))
	if known, err := user.LookupId(u); err == nil && manifest.ValidUser(known.Username+":"+g) {
		u = known.Username
	}
	if known, err := user.LookupGroupId(g); err == nil && manifest.ValidUser(u+":"+known.Name) {
		g = known.Name
	}
	return u + ":" + g
}
