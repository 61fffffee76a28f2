package problem

import (
	"fmt"

	"holdfast/internal/units"
	"holdfast/remedy"
)

// MixedFiles is the problem of a snapshot with n files that changed during every reading.
func MixedFiles(snapshot string, n int) error {
	return &remedy.Error{Kind: remedy.Incomplete,
		What: fmt.Sprintf("snapshot %s is saved, but %s changed during every reading", snapshot,
			units.Count(n, "file")),
		Effect: "the snapshot has each of these files, perhaps as a mix of two states; " +
			"a restore brings back everything else as it was",
		Fix: "stop the program that writes the files for the time of the backup, or have the program write a copy " +
			"under a new name and rename the copy; or take the files out of the extra paths; " +
			"then run holdfast backup again"}
}

// RefusedSchema is the problem of a snapshot whose database no restore takes.
func RefusedSchema(snapshot string) error {
	return &remedy.Error{Kind: remedy.Incomplete,
		What:   fmt.Sprintf("snapshot %s is saved, but a restore will refuse its database", snapshot),
		Effect: "the snapshot has all bytes; a person can get them by restore --to DIR --only media, and by hand",
		Fix: "drop the named objects, or move them to another database: GoToSocial did not make them; " +
			"a setting of a newer pg_dump needs a newer Holdfast; then run holdfast backup again"}
}

// MissingFiles is the problem of a snapshot without n files, or nil. media is the number of
// media files that the snapshot has.
func MissingFiles(snapshot string, n int, media int64) error {
	if n == 0 {
		return nil
	}
	fix := "put the files back, if you have them elsewhere; or let Holdfast's user read them; " +
		"or take them out of the extra paths; then run holdfast backup again"
	if int64(n) > media {
		fix = "is the disk of the media directory mounted, and may Holdfast's user read the directory? " +
			"is storage-local-base-path right, or, for a bucket, storage-s3-bucket and storage-s3-key-prefix? " +
			"correct the cause and run holdfast backup again; " +
			"if the files are lost, restore them from an earlier snapshot"
	}
	return &remedy.Error{Kind: remedy.Incomplete,
		What:   fmt.Sprintf("snapshot %s is saved, but %s could not be read", snapshot, units.Count(n, "file")),
		Effect: "a restore brings back everything else", Fix: fix}
}

// MissingFromSnapshot is the problem of a restored snapshot with files that the backup did not
// find, or that changed during the backup, or nil. whole is the last snapshot that has all
// files, or "". missing counts both kinds of files, mixed the changed ones.
func MissingFromSnapshot(snapshot, whole string, missing, mixed int64) error {
	if missing == 0 {
		return nil
	}
	fix := "no earlier snapshot has all of these files; look for them in copies of the instance's disk"
	if whole != "" {
		fix = fmt.Sprintf("restore snapshot %s, which is complete, into another folder, and copy the files from there",
			whole)
	}
	what := fmt.Sprintf("snapshot %s is restored, without %s that the backup did not find", snapshot,
		units.Count(missing-mixed, "file"))
	if missing == mixed {
		what = fmt.Sprintf("snapshot %s is restored, with %s that changed while the backup read the file", snapshot,
			units.Count(mixed, "file"))
	}
	return &remedy.Error{Kind: remedy.Incomplete, What: what, Effect: "everything else is restored", Fix: fix}
}
