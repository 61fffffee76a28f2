package agent

import (
	"context"
	"time"

	"holdfast/rebuild"
)

// Rebuild runs the steps that restore a whole instance. A person has accepted the plan
// of the open rebuild r. The report is never nil.
func Rebuild(ctx context.Context, r *rebuild.Rebuild, o rebuild.Observer) (*rebuild.Report, error) {
	began := time.Now()
	report, err := r.Run(ctx, o)
	logEnd(ctx, "rebuild ended", err, "instance", r.Domain(), "files", report.Fetched.Files,
		"bytes", report.Fetched.Bytes, "packs", report.Fetched.Packs, "duration", time.Since(began))
	return report, explainFull(err, r.WorkFolder())
}
