package rebuild

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
	"holdfast/instance/postgres"
	"holdfast/instance/sqlite"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// Directory is what a restore makes: a folder with sqlite.db, or database/*.sql
// and *.copy for psql, storage/KEY, files/ABSOLUTE/PATH, and a run.env that makes
// a server start over them.
type Directory struct {
	Path string // the folder's final, absolute path
	// Verbatim leaves the database as it was, byte for byte. Otherwise remote
	// media, which no backup holds, are marked as not cached: the server would
	// answer 404 for them for ever.
	Verbatim bool
}

// PathOf is where a file belongs in the folder.
func (d *Directory) PathOf(f manifest.File) (string, error) {
	if !manifest.ValidPath(f.Path) {
		return "", fmt.Errorf("%q is no path of a listing", f.Path)
	}
	switch f.Part {
	case manifest.Database:
		switch ext := path.Ext(f.Path); {
		case f.Path == sqlite.FileName && f.PageSize > 0:
			return sqlite.FileName, nil
		case f.PageSize == 0 && (ext == ".sql" || ext == ".copy") && !strings.Contains(f.Path, "/"):
			return path.Join(postgres.Folder, f.Path), nil
		}
		return "", fmt.Errorf("database file %q is none of a SQLite or PostgreSQL instance: a newer Holdfast may know it", f.Path)
	case manifest.Media:
		return path.Join(media.StorageFolder, f.Path), nil
	case manifest.Files:
		return path.Join("files", f.Path), nil
	}
	return "", fmt.Errorf("part %q has no place in a folder", f.Part)
}

// DamageNote begins the note about a database that is damaged, and was wanted
// verbatim.
const DamageNote = "the database is damaged, and is as it was: "

// CheckDatabase checks a SQLite database and, unless it is wanted verbatim, marks remote
// media as not cached. The file is durable then, and no log or journal is left. A
// damaged one is an error, or a note where it is wanted verbatim.
func (d *Directory) CheckDatabase(ctx context.Context, staging *os.Root) (notes []string, err error) {
	if _, err := staging.Lstat(sqlite.FileName); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // of PostgreSQL there is nothing to check before it is loaded
	}
	file := filepath.Join(staging.Name(), sqlite.FileName)
	note, err := sqlite.Check(ctx, file)
	var damaged *remedy.DamageError
	if errors.As(err, &damaged) && d.Verbatim {
		return []string{DamageNote + strings.Join(damaged.Findings, "; ")}, nil
	}
	if err != nil {
		return nil, err
	}
	notes = append(notes, note)
	if d.Verbatim {
		return notes, nil
	}
	n, err := sqlite.Uncache(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("mark remote media as not cached: %w", sqlite.Damage(err))
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("%d remote media marked as not cached: the server fetches them again when somebody looks", n))
	}
	return notes, nil
}

// isComplete reports whether a restore filled the folder, and ended.
func (d *Directory) isComplete() bool {
	_, err := os.Stat(filepath.Join(d.Path, environmentName))
	return err == nil && !vault.Unfinished(d.Path)
}

// Finish makes the storage folder where there is none, and writes run.env,
// durably. Without the database part there is nothing to do.
func (d *Directory) Finish(_ context.Context, staging *os.Root, s vault.Restored) (notes []string, err error) {
	if !s.Parts[manifest.Database] {
		return nil, nil
	}
	if err := staging.Mkdir(media.StorageFolder, 0o755); err != nil && !os.IsExist(err) {
		return nil, err
	}
	if !s.Parts[manifest.Media] {
		notes = append(notes, "without the media part the server answers 404 for local media: restore it before the start")
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
