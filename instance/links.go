package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/remedy"
)

// gathering collects the files part.
type gathering struct {
	*Instance
	all    map[string]*entry  // by path of the listing
	walked map[string]bool    // folders that were searched
	led    map[string]leftOut // the targets of links that are left out, and why
	users  map[string]string  // names of users, by their numbers

	special, acls, capable []string // files and folders with more rights than a mode has
}

// entry is a file, folder or link, or the error that keeps it out of the snapshot.
type entry struct {
	file  manifest.File
	leads string // for a link: its target's path outside of the container
	err   error
}

// gather adds the files at root and below. Files that disappear meanwhile are left out.
func (g *gathering) gather(ctx context.Context, root string) error {
	end, info, err := g.follow(filepath.Clean(root), anywhere)
	switch {
	case end != filepath.Clean(root) && dangles(err) && !slices.Contains(g.options.Extra, root):
		return nil // the snapshot has the link, and no setting names its target
	case err == nil && info.IsDir():
		return g.walk(ctx, end)
	}
	g.file(end, info, err)
	return nil
}

// walk adds the files of a folder. A link to a file brings the file; walk does not
// follow a link to a folder.
func (g *gathering) walk(ctx context.Context, top string) error {
	return filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err == nil && entry.Type()&fs.ModeSymlink != 0 {
			g.met(path)
			return nil
		}
		var info fs.FileInfo
		if err == nil && (entry.IsDir() || entry.Type().IsRegular()) {
			info, err = g.statFile(path)
		}
		switch {
		case errors.Is(err, errDatabase), errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			// An unreadable folder counts as an unreadable file.
		case entry.IsDir() && g.isMedia(info):
			// The media are the media part. Only certificates lie there too.
			return fs.SkipDir
		case entry.IsDir():
			g.walked[path] = true
			g.add(path, info, "", nil)
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		g.add(path, info, "", err)
		return nil
	})
}

// isMedia reports whether a folder is the media folder.
func (g *gathering) isMedia(folder fs.FileInfo) bool {
	_, path := g.config.LocalPlaces()
	if path == "" {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, folder)
}

// met adds a link inside a folder, and the file that the link leads to. A user who
// may write to the folder must not make root save all files of the machine, which a
// restore would then put on a new machine.
func (g *gathering) met(link string) {
	end, info, err := g.follow(link, toTheirOwn)
	switch {
	case dangles(err):
	case errors.Is(err, errOthers):
		g.led[end] = leftOut(fmt.Sprintf("%s is a link to %s, which belongs to another user and is left out; "+
			"an extra path can add it", link, end))
	case err != nil, info.Mode().IsRegular():
		g.file(end, info, err)
	case info.IsDir() && !g.isMedia(info):
		g.led[end] = leftOut(fmt.Sprintf("%s is a link to the folder %s, which is left out; "+
			"an extra path can add it", link, end))
	}
}

var errOthers = errors.New("the target of the link belongs to another user")

// anywhere lets configured links lead to every file.
func anywhere(link, to fs.FileInfo) bool { return true }

// toTheirOwn lets links of root lead to every file, and the links of another user to
// the files of that user.
func toTheirOwn(link, to fs.FileInfo) bool {
	user := disk.FileUser(link)
	return user == 0 || user == disk.FileUser(to)
}

// dangles reports whether a link has no target.
func dangles(err error) bool {
	return slices.ContainsFunc([]error{fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP, manifest.ErrLoop},
		func(nothing error) bool { return errors.Is(err, nothing) })
}

// file adds a file, unless the file belongs to the live database.
func (g *gathering) file(path string, info fs.FileInfo, err error) {
	if err != nil || !g.db.Holds(info) {
		g.add(path, info, "", err)
	}
}

// follow adds the link at path and all links that follow, and returns the path and
// description of the last target. If path is no link, follow adds nothing.
//
// A folder on the way may be a link too. The snapshot has a real folder in its
// place, unless the snapshot also has the link. Therefore every path leads to its
// file on a machine without such links. A link that would then lead elsewhere counts
// as its target. A link that may not lead to its target ends with errOthers.
func (g *gathering) follow(path string, may func(link, to fs.FileInfo) bool) (end string, info fs.FileInfo, err error) {
	for range manifest.MaxFollowed {
		if info, err = os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, info, err
		}
		text, err := os.Readlink(path)
		if err != nil {
			return path, nil, err
		}
		next := g.leads(path, text)
		if !asItSays(path, text, next) {
			there, err := os.Stat(path)
			if err != nil || may(info, there) && there.Mode().IsRegular() {
				return path, there, err
			}
			if next, err = filepath.EvalSymlinks(path); err != nil {
				return path, nil, err
			}
			if !may(info, there) {
				return next, nil, errOthers
			}
		}
		g.add(path, info, manifest.Link(text), nil)
		if f := g.all[listed(path)]; f != nil && f.err == nil {
			f.leads = next
		}
		if to, err := os.Lstat(next); err == nil && !may(info, to) {
			return next, nil, errOthers
		}
		path = next
	}
	return path, nil, manifest.ErrLoop
}

// leads returns the path that the text of a link names. In a folder of a container
// the text names a path of the container.
func (g *gathering) leads(link, text string) string {
	switch {
	case !filepath.IsAbs(text):
		return filepath.Join(filepath.Dir(link), text)
	case g.config.InContainer(link):
		return g.config.LocalPath(text)
	}
	return filepath.Clean(text)
}

// asItSays reports whether a link still leads to its target if every folder on the
// way is real.
func asItSays(link, text, next string) bool {
	if !filepath.IsAbs(text) {
		text = filepath.Dir(link) + "/" + text
	} else if filepath.Clean(text) != next {
		return true // a path of a container has other folders
	}
	there, err := os.Lstat(strings.TrimRight(text, "/"))
	if err != nil {
		return true
	}
	named, err := os.Lstat(next)
	return err == nil && os.SameFile(there, named)
}

// moveBelowLinks moves the entries below a link to the link's target.
func (g *gathering) moveBelowLinks() {
	for moved := true; moved; {
		moved = false
		for name, f := range g.all {
			dir, base := path.Split(name)
			real, err := g.resolve(dir)
			to := path.Join(real, base)
			if err == nil && to == name || !manifest.ValidPath(name) {
				continue
			}
			moved = true
			delete(g.all, name)
			if f.file.Name != nil {
				f.file.Name, f.err = nil, oddBelowLink
			}
			// If another path led to the file before, that entry stays.
			if e := g.all[to]; e != nil {
				e.file.Holdfast = e.file.Holdfast || f.file.Holdfast
			} else if err == nil {
				f.file.Path = to
				g.all[to] = f
			}
		}
	}
}

// resolve returns where a path of the listing leads through the saved links.
func (g *gathering) resolve(name string) (string, error) {
	return manifest.Resolve(name, func(path string) (manifest.Link, bool) {
		f := g.all[path]
		if f == nil || f.leads == "" {
			return "", false
		}
		return manifest.Link(manifest.StandIn(f.leads)), true
	})
}

// nameLed adds the targets of links that no other entry saves.
func (g *gathering) nameLed() {
	saved := map[string]bool{}
	for folder := range g.walked {
		if real, err := g.resolve(listed(folder)); err == nil {
			saved[real] = true
		}
	}
	for end, why := range g.led {
		real, err := g.resolve(listed(end))
		if _, known := g.all[real]; err == nil && !known && !saved[real] {
			// The slash keeps the path apart from those of files, and the root from "".
			g.all[real+"/"] = &entry{file: manifest.File{Part: manifest.Files, Path: real + "/"}, err: why}
		}
	}
}

// leftOut tells why a snapshot leaves out the target of a link. It is an
// [errors.ErrUnsupported].
type leftOut string

func (e leftOut) Error() string        { return string(e) }
func (e leftOut) Is(target error) bool { return target == errors.ErrUnsupported }

// oddBelowLink is the error of a file that counts under another path, and whose name can
// come back only under the old path.
var oddBelowLink = &remedy.Error{Kind: remedy.Setting,
	What: "its name has a line break or is not valid UTF-8, and a folder above is a link", Fix: "rename the file"}

// add adds a file, folder or link, or the error that keeps it out of the snapshot.
func (g *gathering) add(path string, info fs.FileInfo, link manifest.Link, err error) {
	f := manifest.File{Part: manifest.Files, Path: listed(path), Link: link}
	if actual := inRoot(path); actual != f.Path {
		f.Name = []byte(actual)
	}
	other := g.all[f.Path]
	switch {
	case other != nil && other.file.TruePath() != f.TruePath():
		f.Path += "/" // no path of a listing
		err = &remedy.Error{Kind: remedy.Setting, Fix: "rename one of the two files",
			What: fmt.Sprintf("a listing can't tell %q from %q", path, "/"+other.file.TruePath())}
	case err != nil:
		err = unreadable(path, err)
	case link == "" && !info.Mode().IsRegular() && !info.IsDir():
		err = &remedy.Error{Kind: remedy.Setting, What: path + " is not a regular file",
			Fix: "leave it out of the extra paths"}
	case link != "" && !link.Valid():
		err = &remedy.Error{Kind: remedy.Setting, Fix: "make the link again",
			What: "the target of the link has a line break or is not valid UTF-8"}
	default:
		f.Mode, f.User = manifest.Mode(info.Mode().Perm()), g.knownUser(path, info)
		if f.Folder = info.IsDir(); !f.Folder {
			f.Modified = info.ModTime()
		}
		if link == "" {
			g.noteRights(path, info, &f)
		}
		if f.HasContents() {
			f.Size, f.Changed = info.Size(), disk.Changed(info)
		}
	}
	g.all[f.Path] = &entry{file: f, err: err}
}
