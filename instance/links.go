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

	"holdfast/manifest"
	"holdfast/remedy"
)

// gathering is the files part while it is put together.
type gathering struct {
	*Instance
	all    map[string]found   // by path of the listing
	walked map[string]bool    // folders that were looked through
	led    map[string]leftOut // what links lead to and they don't bring, and why
}

// found is a file, or what keeps it from being saved.
type found struct {
	file  manifest.File
	leads string // of a link: the path that it leads to, on this side of a container
	err   error
}

// gather adds the files at root and below. What is gone by its turn is left out.
func (g *gathering) gather(ctx context.Context, root string) error {
	end, info, err := g.follow(filepath.Clean(root), anywhere)
	switch {
	case end != filepath.Clean(root) && dangles(err) && !slices.Contains(g.options.Extra, root):
		return nil // the link is saved, and nobody asked for more
	case err == nil && info.IsDir():
		return g.walk(ctx, end)
	}
	g.file(end, info, err)
	return nil
}

// walk adds the files of a folder. A link to a file brings that; one to a folder
// is not gone into.
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
			// A folder that can't be looked into counts as a file that doesn't open.
		case entry.IsDir() && g.media.Is(info):
			// Media are the media part's; only certificates lie there too.
			return fs.SkipDir
		case entry.IsDir():
			if manifest.ValidPath(listed(path)) {
				g.walked[path] = true
				return nil
			}
			g.add(path, info, "", nil)
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		g.add(path, info, "", err)
		return nil
	})
}

// met adds a link within a folder, and the file that it leads to. Who may write
// into a folder of the server must not make root save any file of the machine, and
// a restore put it over a new machine's.
func (g *gathering) met(link string) {
	end, info, err := g.follow(link, toTheirOwn)
	switch {
	case dangles(err):
	case errors.Is(err, errOthers):
		g.led[end] = leftOut(fmt.Sprintf("%s is a link to %s, which belongs to another user, is not saved, and can be an extra path of its own", link, end))
	case err != nil, info.Mode().IsRegular():
		g.file(end, info, err)
	case info.IsDir() && !g.media.Is(info):
		g.led[end] = leftOut(fmt.Sprintf("%s is a link to the folder %s, which is not saved and can be an extra path of its own", link, end))
	}
}

var errOthers = errors.New("the link leads to what belongs to another user")

// anywhere is for links that were asked for.
func anywhere(link, to fs.FileInfo) bool { return true }

// toTheirOwn lets root's links lead anywhere, those of others to what is theirs.
func toTheirOwn(link, to fs.FileInfo) bool {
	owner := link.Sys().(*syscall.Stat_t).Uid
	return owner == 0 || owner == to.Sys().(*syscall.Stat_t).Uid
}

// dangles reports whether a link leads to nothing.
func dangles(err error) bool {
	return slices.ContainsFunc([]error{fs.ErrNotExist, syscall.ENOTDIR, syscall.ELOOP, manifest.ErrLoop}, func(nothing error) bool { return errors.Is(err, nothing) })
}

// file adds a file, unless it is the live database's own.
func (g *gathering) file(path string, info fs.FileInfo, err error) {
	if err != nil || !g.db.Holds(info) {
		g.add(path, info, "", err)
	}
}

// follow adds the link at path, if one is there, and those that it leads to, and
// returns where they end, with what is there.
//
// A folder on the way may be a link, too. A snapshot has a folder in its place,
// unless it is saved as a link: so every path leads to its file on a machine that
// has no such link. A link that would then lead elsewhere counts as the file that
// it leads to. A link that may not lead on ends it with errOthers.
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
		if f := g.all[listed(path)]; f.err == nil {
			f.leads = next
			g.all[listed(path)] = f
		}
		if to, err := os.Lstat(next); err == nil && !may(info, to) {
			return next, nil, errOthers
		}
		path = next
	}
	return path, nil, manifest.ErrLoop
}

// leads is the path that a link's text names. In a folder of a container it names
// one of that container.
func (g *gathering) leads(link, text string) string {
	switch {
	case !filepath.IsAbs(text):
		return filepath.Join(filepath.Dir(link), text)
	case g.config.InContainer(link):
		return g.config.Here(text)
	}
	return filepath.Clean(text)
}

// asItSays reports whether a link leads where its text does if no folder is a
// link.
func asItSays(link, text, next string) bool {
	if !filepath.IsAbs(text) {
		text = filepath.Dir(link) + "/" + text
	} else if filepath.Clean(text) != next {
		return true // of a container, which has other folders
	}
	there, err := os.Lstat(strings.TrimRight(text, "/"))
	if err != nil {
		return true
	}
	named, err := os.Lstat(next)
	return err == nil && os.SameFile(there, named)
}

// place moves what lies below a link to where that leads.
func (g *gathering) place() {
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
			// A file that is there already was found by that path, too.
			if _, known := g.all[to]; !known && err == nil {
				f.file.Path = to
				g.all[to] = f
			}
		}
	}
}

// resolve is where a path of the listing leads by the links that are saved.
func (g *gathering) resolve(name string) (string, error) {
	return manifest.Resolve(name, func(path string) (manifest.Link, bool) {
		f := g.all[path]
		return manifest.Link(f.leads), f.leads != ""
	})
}

// nameLed adds what links lead to and that nothing saves.
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
			// The slash keeps it apart from all files, and the root from no path.
			g.all[real+"/"] = found{file: manifest.File{Part: manifest.Files, Path: real + "/"}, err: why}
		}
	}
}

// leftOut is why what a link leads to is not saved. It is an [errors.ErrUnsupported].
type leftOut string

func (e leftOut) Error() string        { return string(e) }
func (e leftOut) Is(target error) bool { return target == errors.ErrUnsupported }

// add adds a file or link, or why it can't be saved.
func (g *gathering) add(path string, info fs.FileInfo, link manifest.Link, err error) {
	f := manifest.File{Part: manifest.Files, Path: listed(path), Link: link}
	switch {
	case !manifest.ValidPath(f.Path):
		err = &remedy.Error{Kind: remedy.Setting, What: "a line break, or what is no UTF-8, in its name", Fix: "rename it"}
	case err != nil:
		err = unreadable(path, err)
	case link == "" && !info.Mode().IsRegular():
		err = &remedy.Error{Kind: remedy.Setting, What: path + " is not a regular file", Fix: "leave it out of the extra paths"}
	case link != "" && !link.Valid():
		err = &remedy.Error{Kind: remedy.Setting, What: "a line break, or what is no UTF-8, in where the link leads", Fix: "make the link anew"}
	default:
		s := info.Sys().(*syscall.Stat_t)
		f.Mode, f.Modified, f.User = manifest.Mode(info.Mode().Perm()), info.ModTime(), ownerName(s.Uid, s.Gid)
		if link == "" {
			f.Size = info.Size()
		}
	}
	g.all[f.Path] = found{file: f, err: err}
}
