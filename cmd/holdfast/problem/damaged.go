package problem

import (
	"fmt"
	"strings"

	"holdfast/internal/units"
	"holdfast/remedy"
	"holdfast/vault"
)

// DamagedDatabase is the problem of a database that was damaged before the backup and that a
// person wanted back as it was, or nil without damage.
func DamagedDatabase(what string) error {
	if what == "" {
		return nil
	}
	return &remedy.Error{Kind: remedy.Damage, What: what,
		Effect: "all files are restored; the server may not run with this database",
		Fix: "mend the database with sqlite3's REINDEX or .recover, " +
			"or restore an earlier snapshot into another folder"}
}

// DamageBeside is the problem of a storage with damage beside the snapshot that a backup saved.
// The effect has the first warnings, at most shown.
func DamageBeside(r *vault.BackupReport, snapshot string, shown int) error {
	damage := &remedy.Error{
		Kind:   remedy.Damage,
		Effect: strings.Join(r.Warnings[:min(shown, len(r.Warnings))], "\n"),
		Fix: strings.Join(append(r.Fixes,
			"holdfast verify --data all names the damaged objects, and the snapshots that need them"), "\n"),
	}
	switch {
	case r.KeysGone:
		damage.What = fmt.Sprintf("nobody can restore anything: no key object is left in the storage; "+
			"snapshot %s is stored, but useless without a key", snapshot)
	case len(r.Missing) > 0:
		damage.What = fmt.Sprintf("snapshot %s is saved, without %s, and damage was found in the storage", snapshot,
			units.Count(len(r.Missing), "file"))
	default:
		damage.What = fmt.Sprintf("snapshot %s is saved completely, and damage was found in the storage", snapshot)
	}
	return damage
}
