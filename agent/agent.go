// Package agent is the home of policy: the jobs backup, verify, restore and
// export, and what the jobs share. Holdfast's commands call the jobs; a daemon
// can call the same. A job prints nothing: it returns a report, tells an
// [Observer] what it does, and logs one line at its end.
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
	Warn     func(text string) // is called for what a person should look at
}

func (o Observer) warn(format string, args ...any) {
	if o.Warn != nil {
		o.Warn(fmt.Sprintf(format, args...))
	}
}

// logEnd writes the one line that a job leaves in the log.
func logEnd(ctx context.Context, message string, err error, attrs ...any) {
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	slog.InfoContext(ctx, message, attrs...)
}
