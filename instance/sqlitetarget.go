package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/disk"
	"holdfast/manifest"
)

// databaseFiles end the names of an SQLite database and of the files beside it.
var databaseFiles = []string{"", "-wal", "-shm", "-journal"}

// sqliteTarget is the place of a SQLite file that a restore puts there.
type sqliteTarget struct {
	path  string
	mover *disk.Mover
}

func openSQLiteTarget(c *Config, m *disk.Mover) *sqliteTarget {
	return &sqliteTarget{c.Database(), m}
}

// Look looks for a database that is there.
func (t *sqliteTarget) Look(context.Context, manifest.Facts) (details []string, err error) {
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
func (t *sqliteTarget) Put(_ context.Context, folder string) (notes []string, err error) {
	from := filepath.Join(folder, databaseName)
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
func (t *sqliteTarget) Tables(context.Context) (Tables, error) {
	return openSQLiteTables(t.path, ByRow)
}

// Rest is empty.
func (t *sqliteTarget) Rest(context.Context) []string { return nil }
