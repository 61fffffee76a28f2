package sqlite

import (
	"os"
	"path/filepath"

	"holdfast/instance/gotosocial"
	"holdfast/manifest"
)

// Restored is the database in a folder that a restore made.
type Restored struct{}

// Finish does nothing: the file is the database.
func (Restored) Finish(*os.Root) error { return nil }

// Settings returns the settings that lead a server to the file.
func (Restored) Settings(path string) []gotosocial.Setting {
	return []gotosocial.Setting{
		{Key: "db-type", Value: gotosocial.SQLite},
		{Key: "db-address", Value: gotosocial.SQLiteAddress(filepath.Join(path, FileName))},
	}
}

// Instructions returns "": a server opens the file where it lies.
func (Restored) Instructions(string, manifest.Facts) string { return "" }
