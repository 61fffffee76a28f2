// Package restored knows the layout of a restored folder, and what a person needs to start
// a server over the folder.
package restored

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"holdfast/disk"
	"holdfast/instance"
	"holdfast/instance/media"
	"holdfast/instance/postgres/psql"
	"holdfast/instance/sqlite"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// FilesFolder is the folder of the files part.
const FilesFolder = "files"

// Folder is the layout of a restored folder: sqlite.db, or database/*.sql and *.copy
// for psql; storage/KEY; files/ABSOLUTE/PATH; and run.env for the start of a server
// over the folder. Folder is a [vault.Target].
type Folder struct {
	Path string // the folder's final, absolute path
	// Verbatim leaves the database as it was, byte for byte. Otherwise remote media are
	// marked as not cached. No backup holds remote media, and a server fetches only
	// media without the mark "cached".
	Verbatim bool

	// Holdfast is the true path of Holdfast's configuration in the snapshot, or "". ParseServer
	// reads the file.
	Holdfast    string       `json:"-"`
	ParseServer ServerParser `json:"-"`
}

// PathOf returns the path of a file in the folder.
func (d *Folder) PathOf(f manifest.File) (string, error) {
	if !manifest.ValidPath(f.Path) {
		return "", fmt.Errorf("%q is not a path of a listing", f.Path)
	}
	switch f.Part {
	case manifest.Database:
		script, known := psql.Locate(f.Path)
		switch {
		case f.Path == sqlite.FileName && f.PageSize > 0:
			return sqlite.FileName, nil
		case f.PageSize == 0 && known:
			return script, nil
		}
		return "", fmt.Errorf("unknown database file %q: a newer Holdfast may know the file", f.Path)
	case manifest.Media:
		return path.Join(media.StorageFolder, f.Path), nil
	case manifest.Files:
		return path.Join(FilesFolder, f.TruePath()), nil
	}
	return "", fmt.Errorf("part %q does not belong in a folder", f.Part)
}

// CheckDatabase checks a database of SQLite. Unless Verbatim is set, CheckDatabase then
// marks remote media as not cached. The file is durable when CheckDatabase returns, and
// has no log or journal beside it. A damaged database is a [remedy.DamageError]; with
// Verbatim the database stays as it was, and the result has the damage. PostgreSQL
// checks a database while loading it.
func (d *Folder) CheckDatabase(ctx context.Context, staging *os.Root) (checked vault.Checked, err error) {
	if _, err := staging.Lstat(sqlite.FileName); errors.Is(err, fs.ErrNotExist) {
		return checked, nil
	}
	file := filepath.Join(staging.Name(), sqlite.FileName)
	note, err := sqlite.Check(ctx, file)
	var damaged *remedy.DamageError
	if errors.As(err, &damaged) && d.Verbatim {
		checked.Damage = "the database is damaged, and is as it was: " + strings.Join(damaged.Findings, "; ")
		return checked, nil
	}
	if err != nil {
		return checked, err
	}
	checked.Notes = append(checked.Notes, note)
	if d.Verbatim {
		return checked, nil
	}
	n, err := sqlite.Uncache(ctx, file)
	if err != nil {
		return checked, fmt.Errorf("mark remote media as not cached: %w", sqlite.Damage(err))
	}
	if n > 0 {
		checked.Notes = append(checked.Notes,
			fmt.Sprintf("%d remote media marked as not cached: the server fetches each again on demand", n))
	}
	return checked, nil
}

// closeFolder closes the top entries of a restored folder to other users. A snapshot does
// not record the modes of the folders above a private file. GoToSocial itself leaves its
// database readable by everyone.
func closeFolder(staging *os.Root) error {
	if err := disk.CloseToOthers(staging, sqlite.FileName); err != nil {
		return err
	}
	for _, name := range []string{psql.Folder, media.StorageFolder, FilesFolder} {
		if err := staging.Chmod(name, 0o700); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// IsComplete reports whether a restore with the database part filled the folder and ended.
func (d *Folder) IsComplete() bool {
	_, err := os.Stat(filepath.Join(d.Path, environmentName))
	return err == nil && !vault.Unfinished(d.Path)
}

// IsPublished reports whether a restore of any parts filled the folder and ended.
func (d *Folder) IsPublished() bool {
	entries, err := os.ReadDir(d.Path)
	return err == nil && len(entries) > 0 && !vault.Unfinished(d.Path)
}

// Finish makes the storage folder if necessary, and writes run.env durably. If the
// restore leaves out the database part, Finish does nothing.
func (d *Folder) Finish(_ context.Context, staging *os.Root, s vault.Restored) (notes []string, err error) {
	if err := closeFolder(staging); err != nil {
		return nil, err
	}
	if !s.Parts[manifest.Database] {
		return nil, nil
	}
	if err := staging.Mkdir(media.StorageFolder, 0o700); err != nil && !os.IsExist(err) {
		return nil, err
	}
	if !s.Parts[manifest.Media] {
		notes = append(notes,
			"without the media part the server answers 404 for local media: restore it before the start")
	}
	scripts, err := fs.Sub(staging.FS(), psql.Folder)
	if err == nil {
		err = psql.Check(scripts) // before psql can read them
	}
	if err != nil {
		return nil, err
	}
	if err := instance.OpenRestored(s.Facts, d.Verbatim).Finish(staging); err != nil {
		return nil, err
	}
	text, err := d.environment(staging.FS(), s)
	if err != nil {
		return nil, err
	}
	if err := disk.WriteIn(staging, environmentName, text); err != nil {
		return nil, fmt.Errorf("write %s: %w", environmentName, err)
	}
	return append(notes, "to start the server: see "+filepath.Join(d.Path, environmentName)), nil
}
