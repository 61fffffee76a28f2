package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"holdfast/agent"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/rebuild"
	"holdfast/rebuild/machine"
	"holdfast/remedy"
	"holdfast/vault"
)

// rebuildFlags are the flags of a full restore: one without --to.
type rebuildFlags struct {
	gotosocial string
	user       string
	work       string
	yes        string
	oldIsDead  bool
	replace    bool
	resume     bool
}

// rebuild restores the whole instance onto this machine: the plan, the question, the
// steps, and what remains for a person.
func (v *restoreFlags) rebuild(
	ctx context.Context, a *app, snap *vault.Snapshot, parts []manifest.Part, result *restoreResult,
) error {
	r, err := agent.OpenRebuild(ctx, snap, rebuild.Options{
		Options: machine.Options{
			Parts: parts, GoToSocial: v.full.gotosocial, User: v.full.user, Paths: v.mapped,
			Verbatim: v.verbatim, Replace: v.full.replace,
		},
		Work: v.full.work, State: a.home.State, Resume: v.full.resume, OldIsDead: v.full.oldIsDead,
	})
	if err != nil {
		return v.nameUnfinished(err)
	}
	defer r.Close()
	result.To = r.Domain()
	findings := r.Plan(ctx)
	for _, f := range findings {
		printFinding(a.term, f)
	}
	if v.plan {
		result.Planned = true
		return nil
	}
	if err := rebuild.Refusal(findings); err != nil {
		return err
	}
	result.what = r.What()
	if err := v.confirm(ctx, a, r.Domain(), result.what); err != nil {
		return err
	}
	report, err := agent.Rebuild(ctx, r, rebuildObserver{a.term})
	if report.Remaining == nil {
		warnLost(a.term, err)
		return v.unfinished(problem.Explain(ctx, err), r.WorkFolder(), snap.Record.ID(), rebuild.IsInTheWay(err))
	}
	v.fillRebuilt(result, snap, report)
	printRemaining(a.term, result)
	printStray(a.term, report, r.WorkFolder())
	return err
}

// nameUnfinished adds to an error about an unfinished restore the command that
// continues that restore.
func (v *restoreFlags) nameUnfinished(err error) error {
	var left *rebuild.UnfinishedError
	if !errors.As(err, &left) {
		return err
	}
	fix := "continue the restore with this command:\n"
	if left.Other {
		fix = "delete the folder, or finish that restore first:\n"
	}
	return &remedy.Error{Kind: remedy.Refused, Err: err, Fix: fix + v.again(left.SnapshotID())}
}

// printFinding prints a finding of the plan.
func printFinding(t *terminal.Terminal, f machine.Finding) {
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

// confirm has a person type the domain, because the restore writes all over this
// machine.
func (v *restoreFlags) confirm(ctx context.Context, a *app, domain, what string) error {
	typed := v.full.yes
	switch {
	case typed != "":
	case a.term.Interactive():
		var err error
		typed, err = a.term.Ask(ctx, fmt.Sprintf(
			"\nThe restore will rebuild %s on this machine, as the plan says. Type the domain to begin: ", what))
		if err != nil {
			return err
		}
	default:
		return &remedy.Error{Kind: remedy.Refused,
			What:   "the restore needs a confirmation, and there is no terminal to ask",
			Effect: "nothing was changed",
			Fix:    "add --yes " + domain + " to confirm the restore, or --to DIR to restore into a folder"}
	}
	if !strings.EqualFold(typed, domain) {
		return &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("%q is not the domain %s", typed, domain),
			Effect: "nothing was changed", Fix: "type the domain exactly as the question shows it"}
	}
	return nil
}

// rebuildObserver shows the run of a rebuild on the terminal.
type rebuildObserver struct{ term *terminal.Terminal }

// Fetch shows the progress while job runs.
func (o rebuildObserver) Fetch(ctx context.Context, p *vault.Progress, job func(context.Context) error) error {
	return o.term.Watch(ctx, "fetched", p, job)
}

// Fetched prints the sums.
func (o rebuildObserver) Fetched(report *vault.RestoreReport) {
	o.term.Say("✓ fetched %s, %s; every byte was checked", units.Count(report.Files, "file"), units.Size(report.Bytes))
}

// Note prints the note of a step.
func (o rebuildObserver) Note(text string) { o.term.Say("✓ %s", text) }

// fillRebuilt fills the result of a rebuilt instance.
func (v *restoreFlags) fillRebuilt(result *restoreResult, snap *vault.Snapshot, report *rebuild.Report) {
	fetched := report.Fetched
	result.Files, result.Bytes, result.Packs = fetched.Files, fetched.Bytes, fetched.Packs
	result.Resumed = fetched.Resumed
	result.Missing, result.missing, result.damage = fetched.Missing, snap.Record.Missing, fetched.Damage
	result.Mixed = fetched.Mixed
	if len(v.only) > 0 {
		result.missing = int64(len(fetched.Missing))
	}
	result.Notes, result.Rest = report.Notes, report.Remaining
	result.Seconds = time.Since(v.began).Seconds()
}

// printRemaining lists the tasks that remain for a person.
func printRemaining(t *terminal.Terminal, result *restoreResult) {
	t.Say("\n%s: rebuilt on this machine, as of %s. The remaining work:",
		result.what, units.Time(result.Snapshot.Time))
	for n, task := range result.Rest {
		t.Say("  %d. %s", n+1, task)
	}
}

// printStray says why the work folder stays, if it does.
func printStray(t *terminal.Terminal, report *rebuild.Report, workFolder string) {
	if report.Stray {
		t.Say("! %s stays: the folder holds files that no restore made", workFolder)
	}
}
