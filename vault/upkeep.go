package vault

import (
	"context"

	"holdfast/manifest/index"
)

// upkeep repairs the remote before a backup, from the copies of this host.
type upkeep struct {
	repo   *Repository
	idx    *index.Index
	state  string // the folder
	report *BackupReport
}

// run puts back lost records and key objects, and brings the index to the state
// of the remote.
func (u *upkeep) run(ctx context.Context) error {
	if err := u.putBackRecords(ctx); err != nil {
		return err
	}
	if err := u.keepKeys(ctx); err != nil {
		return err
	}
	return u.settle()
}
