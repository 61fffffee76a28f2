// Package agent is the home of policy. Agent has the jobs set-up, backup, verify,
// restore and export, the configuration, the state folder and its lock. Commands and
// daemons call the same jobs. A job prints nothing: the caller gets a report, an
// [Observer] gets progress and warnings, and the log gets one line at the end of the
// job.
package agent

import (
	"context"
	"fmt"
	"log/slog"

	"holdfast/vault"
)

// Observer follows a running job. The zero value follows nothing.
type Observer struct {
	Progress *vault.Progress   // may be read while the job runs
	Warn     func(text string) // receives each warning for a person
}

func (o Observer) warn(format string, args ...any) {
	if o.Warn != nil {
		o.Warn(fmt.Sprintf(format, args...))
	}
}

// logEnd writes the log line of a job.
func logEnd(ctx context.Context, message string, err error, attrs ...any) {
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	slog.InfoContext(ctx, message, attrs...)
}
