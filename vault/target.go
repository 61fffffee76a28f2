package vault

import (
	"context"
	"os"

	"holdfast/manifest"
)

// Target is the form that a restore gives to a folder. Restore writes every file
// into a staging folder at the path that PathOf returns, and hashes every byte on
// the way. CheckDatabase and Finish then complete the staging folder, before
// Restore makes the files durable and gives them their final names.
//
// A restore that continues after an interruption compares the JSON form of its
// target with the one before. If the two differ, the restore fetches the database
// again and calls CheckDatabase again.
type Target interface {
	// PathOf returns the path of a file, relative to the staging folder. No two
	// files have the same path. An error ends the restore.
	PathOf(f manifest.File) (string, error)

	// CheckDatabase checks the database and makes the changes that a restored
	// database needs. Restore calls CheckDatabase once all files of the database
	// part are complete in staging, while other files still arrive. After an
	// interrupted call Restore fetches the database again and repeats the call. The
	// database is durable when CheckDatabase returns. Notes are for the person who
	// restores.
	CheckDatabase(ctx context.Context, staging *os.Root) (Checked, error)

	// Finish adds the files that the target needs beside the restored ones.
	// Restore calls Finish once all chosen files are complete in staging, and again
	// if a restore is interrupted before its files get their final names.
	Finish(ctx context.Context, staging *os.Root, s Restored) (notes []string, err error)
}

// Checked is the result of a target's check of the database.
type Checked struct {
	Notes  []string // for the person who restores
	Damage string   // the damage in a database that the target leaves as it was, or ""
}

// Restored describes what a staging folder holds.
type Restored struct {
	Facts  manifest.Facts         // of the snapshot's record
	Domain string                 // of the instance
	Parts  map[manifest.Part]bool // the parts from which the restore chose files
}
