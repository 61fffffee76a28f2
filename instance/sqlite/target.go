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

// databaseFiles are the suffixes of an SQLite database and of the files that SQLite
// keeps beside the database.
var databaseFiles = []string{"", "-wal", "-shm", "-journal"}

// Target is the SQLite database that a restore puts in its place.
type Target struct{ path string }

// NewTarget returns the target of the configuration.
func NewTarget(c *gotosocial.Config) *Target { return &Target{c.Database()} }

// Destination names the file. The server writes to the file's folder.
func (t *Target) Destination() gotosocial.Destination {
	return gotosocial.Destination{Name: t.path, Folder: filepath.Dir(t.path)}
}

// Inspect looks for a database in the way.
func (t *Target) Inspect(_ context.Context, _ manifest.Facts, m *disk.Mover) (details []string, err error) {
	detail := t.path
	for _, ending := range databaseFiles {
		if _, err := os.Lstat(t.path + ending); err != nil {
			continue
		}
		if !m.Replace {
			return nil, &disk.InTheWay{Path: t.path + ending}
		}
		detail = t.path + "; the old file is renamed to " + filepath.Base(t.path) + disk.AsideSuffix
	}
	return []string{detail}, nil
}

// Put moves the file to its place.
func (t *Target) Put(_ context.Context, folder string, m *disk.Mover) (notes []string, err error) {
	from := filepath.Join(folder, FileName)
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	aside, err := m.Aside(t.path, databaseFiles...)
	if err != nil {
		return nil, err
	}
	if notes = []string{"database: " + t.path}; aside != "" {
		notes = append(notes, fmt.Sprintf("the old database is now called %s", aside))
	}
	return notes, m.Move(from, t.path, m.User)
}

// Tables opens the tables after Put.
func (t *Target) Tables(context.Context) (gotosocial.Tables, error) {
	return OpenTables(t.path, gotosocial.ByRow)
}

// Rest returns nothing.
func (t *Target) Rest(context.Context) []string { return nil }
