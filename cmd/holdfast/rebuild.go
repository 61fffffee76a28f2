package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"holdfast/agent"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/report"
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
	ctx context.Context, a *app, repo *agent.Repository, snap *vault.Snapshot, parts []manifest.Part,
	result *restoreResult,
) error {
	r, err := repo.OpenRebuild(ctx, snap, rebuild.Options{
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
		report.Finding(a.term, f)
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
	done, err := agent.Rebuild(ctx, r, report.Run{Terminal: a.term})
	if done.Remaining == nil {
		warnLost(a.term, err)
		return v.unfinished(problem.Explain(ctx, err), r.WorkFolder(), snap.Record.ID(), rebuild.IsInTheWay(err))
	}
	v.fillRebuilt(result, snap, done)
	printRemaining(a.term, result)
	report.Stray(a.term, done, r.WorkFolder())
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

// fillRebuilt fills the result of a rebuilt instance.
func (v *restoreFlags) fillRebuilt(result *restoreResult, snap *vault.Snapshot, done *rebuild.Report) {
	fetched := done.Fetched
	result.Files, result.Bytes, result.Packs = fetched.Files, fetched.Bytes, fetched.Packs
	result.Resumed = fetched.Resumed
	result.Missing, result.missing, result.damage = fetched.Missing, snap.Record.Missing, fetched.Damage
	result.Mixed = fetched.Mixed
	if len(v.only) > 0 {
		result.missing = int64(len(fetched.Missing))
	}
	result.Notes, result.Rest = done.Notes, done.Remaining
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
