package agent

import (
	"context"
	"time"

	"holdfast/rebuild"
	"holdfast/vault"
)

// OpenRebuild opens the restore of a whole instance. Holdfast's configuration in the
// snapshot tells how the server ran.
func (r *Repository) OpenRebuild(
	ctx context.Context, snap *vault.Snapshot, o rebuild.Options,
) (*rebuild.Rebuild, error) {
	o.ParseServer = serverOf
	opened, err := rebuild.Open(ctx, snap, o)
	if err != nil {
		return nil, err
	}
	if err := r.checkTarget(opened.WorkFolder(), "--work"); err != nil {
		opened.Close()
		return nil, err
	}
	return opened, nil
}

// Rebuild runs the steps that restore a whole instance. A person has accepted the plan
// of the open rebuild r. The report is never nil.
func Rebuild(ctx context.Context, r *rebuild.Rebuild, o rebuild.Observer) (*rebuild.Report, error) {
	began := time.Now()
	report, err := r.Run(ctx, o)
	logEnd(ctx, "rebuild ended", err, "instance", r.Domain(), "files", report.Fetched.Files,
		"bytes", report.Fetched.Bytes, "packs", report.Fetched.Packs, "duration", time.Since(began))
	return report, explainFull(err, r.WorkFolder())
}
