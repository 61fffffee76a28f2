package vault

import (
	"context"
	"os"

	"holdfast/manifest"
)

// Target is what a restore fills. Restore writes every file into a staging
// folder, at the place that Place gives it, checks it, makes it durable, and
// then lets Finish turn the folder into what the target is.
type Target interface {
	// Place is the path, relative to the staging folder, where the bytes of a
	// file belong. An error refuses the file.
	Place(f manifest.File) (string, error)

	// Mend is called once the files of the database lie whole in staging, while
	// others still arrive. It checks the database, mends what a restore must
	// mend, makes it durable, and returns notes for the person who restores.
	Mend(ctx context.Context, staging *os.Root) (notes []string, err error)

	// Finish is called when all chosen files lie whole in staging. It writes what
	// the target needs beside them. After it the restore renames the entries of
	// staging to their final names.
	Finish(ctx context.Context, staging *os.Root, s manifest.Restored) (notes []string, err error)
}
