package report

import (
	"context"
	"fmt"

	"holdfast/cmd/holdfast/terminal"
	"holdfast/internal/units"
	"holdfast/rebuild"
	"holdfast/rebuild/machine"
	"holdfast/vault"
)

// Finding prints a finding of the plan.
func Finding(t *terminal.Terminal, f machine.Finding) {
	mark := "✓"
	switch {
	case f.Refused:
		mark = "✗"
	case f.Fix != "":
		mark = "!"
	}
	text := fmt.Sprintf("%s %-10s %s", mark, f.Subject, f.Detail)
	if f.Fix != "" {
		text += "\n  fix        " + f.Fix
	}
	t.Item("finding", f, text)
}

// Run shows the run of a rebuild on the terminal.
type Run struct{ Terminal *terminal.Terminal }

// Fetch shows the progress while job runs.
func (r Run) Fetch(ctx context.Context, p *vault.Progress, job func(context.Context) error) error {
	return r.Terminal.Watch(ctx, "fetched", p, job)
}

// Fetched prints the sums.
func (r Run) Fetched(report *vault.RestoreReport) {
	r.Terminal.Say("✓ fetched %s, %s; every byte was checked", units.Count(report.Files, "file"),
		units.Size(report.Bytes))
}

// Note prints the note of a step.
func (r Run) Note(text string) { r.Terminal.Say("✓ %s", text) }

// Stray says why the work folder stays, if it does.
func Stray(t *terminal.Terminal, report *rebuild.Report, workFolder string) {
	if report.Stray {
		t.Say("! %s stays: the folder holds files that no restore made", workFolder)
	}
}
