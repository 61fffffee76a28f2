package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/manifest"
)

// databaseFiles end the names of an SQLite database and of the files beside it.
var databaseFiles = []string{"", "-wal", "-shm", "-journal"}

// Target is the place of a SQLite file that a restore puts there.
type Target struct {
	path  string
	mover *disk.Mover
}

func NewTarget(c *gotosocial.Config, m *disk.Mover) *Target {
	return &Target{c.Database(), m}
}

// Look looks for a database that is there.
func (t *Target) Look(context.Context, manifest.Facts) (details []string, err error) {
	detail := t.path
	for _, ending := range databaseFiles {
		if _, err := os.Lstat(t.path + ending); err != nil {
			continue
		}
		if !t.mover.Replace {
			return nil, &disk.InTheWay{Path: t.path + ending}
		}
		detail = t.path + "; the one that is there is renamed to " + filepath.Base(t.path) + disk.AsideSuffix + ": no server must have it open"
	}
	return []string{detail}, nil
}

// Put moves the file to its place.
func (t *Target) Put(_ context.Context, folder string) (notes []string, err error) {
	from := filepath.Join(folder, FileName)
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	aside, err := t.mover.Aside(t.path, databaseFiles...)
	if err != nil {
		return nil, err
	}
	if notes = []string{"database: " + t.path}; aside != "" {
		notes = append(notes, fmt.Sprintf("the database that was there is called %s now", aside))
	}
	return notes, t.mover.Move(from, t.path, t.mover.User)
}

// Tables opens the file, which no server uses yet.
func (t *Target) Tables(context.Context) (gotosocial.Tables, error) {
	return OpenTables(t.path, gotosocial.ByRow)
}

// Rest is empty.
func (t *Target) Rest(context.Context) []string { return nil }
