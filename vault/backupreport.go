package vault

import (
	"fmt"
	"slices"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/seal"
)

// BackupConfig names the instance, the repository and the options of a backup.
type BackupConfig struct {
	// Required.
	Repository *Repository    // opened with Index
	Host       *seal.Host     // the key that signs the record
	Index      *index.Index   // of the host
	Database   DatabaseSource // the instance's database
	Files      FileSource     // the instance's media and files part
	State      string         // the folder of the spool and of temporary files

	// Optional: the zero value is the documented default.
	Spool    int64     // bytes of packs that may wait on disk for the remote; 0: 1 GiB
	Workers  int       // goroutines that compress and seal; 0: 2
	Version  string    // of the program, for the record
	Progress *Progress // kept up to date during the backup
}

// BackupReport describes a finished backup.
type BackupReport struct {
	Record *manifest.Record
	// Missing are files that could not be saved. The reason follows the name,
	// unless the file does not exist. The snapshot is incomplete.
	Missing []string
	// Mixed are files that changed during every reading. The snapshot has the bytes,
	// which may mix several states, and is incomplete.
	Mixed []string
	// LeftOut are things left out on purpose, with the reason, for example folders
	// behind a link, or large objects of PostgreSQL. The snapshot counts as complete.
	LeftOut []string
	// Refused are the things in the database that a restore will refuse, with the reason.
	// The snapshot has the bytes.
	Refused  []string
	Packs    int   // that were put
	Passes   int   // transactions in which the database was read
	NewFiles int64 // files of media and files that were read
	// SameFiles of the NewFiles had the bytes of the last backup: only attributes changed.
	SameFiles int64
	// Warnings are for a person to look at.
	Warnings []string
	// Damage: objects of snapshots are gone from the remote or changed. The
	// Warnings name the objects.
	Damage bool
	Fixes  []string // what to do about the damage
	// KeysGone: no key object is left. Nobody can open this snapshot, or any other.
	KeysGone bool
}

// addDamage notes damage to the remote and the fix for a person.
func (r *BackupReport) addDamage(fix, format string, args ...any) {
	r.Damage = true
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
	if !slices.Contains(r.Fixes, fix) {
		r.Fixes = append(r.Fixes, fix)
	}
}
