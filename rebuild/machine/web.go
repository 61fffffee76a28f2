package machine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/rebuild/restored"
)

// leftFolders are the web folders with the files of another GoToSocial than the
// snapshot's. The files there stay. A server fails with the templates of another
// version, so the snapshot's templates stay out as a whole. An asset that is new to the
// folder harms nothing, and may be an admin's own.
type leftFolders []gotosocial.WebFolder

// leftInSnapshot returns the web folders on this machine with the files of another
// version.
func (m *Machine) leftInSnapshot(ctx context.Context) leftFolders {
	filled := slices.DeleteFunc(slices.Clone(m.Web), func(w gotosocial.WebFolder) bool {
		entries, err := os.ReadDir(w.Path)
		return err != nil || len(entries) == 0 || w.IsTemplates && m.hasMoved(w.Path)
	})
	if len(filled) == 0 {
		return nil
	}
	program := m.Config.Program()
	if program != "" && m.Facts.GoToSocial != "" {
		if have, err := gotosocial.AskVersion(ctx, program, m.programUser()); err == nil && have == m.Facts.GoToSocial {
			return nil
		}
	}
	return filled
}

// hasMoved reports whether this run has put a file below a folder, before an interruption.
func (m *Machine) hasMoved(folder string) bool {
	if _, err := os.Lstat(filepath.Join(m.Folder, restored.FilesFolder)); err != nil {
		return false
	}
	return slices.ContainsFunc(m.Files, func(f manifest.File) bool {
		if f.Missing || !isBelow(m.pathOf(f), folder) {
			return false
		}
		_, err := os.Lstat(m.fetched(f))
		return errors.Is(err, fs.ErrNotExist)
	})
}

// holds reports whether a file of the snapshot stays out. An equal file may be there.
func (l leftFolders) holds(path string) bool {
	for _, w := range l {
		if !isBelow(path, w.Path) {
			continue
		}
		if w.IsTemplates {
			return true
		}
		_, err := os.Lstat(path)
		return err == nil
	}
	return false
}

// paths returns the paths of the folders.
func (l leftFolders) paths() (paths []string) {
	for _, w := range l {
		paths = append(paths, w.Path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
