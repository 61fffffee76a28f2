package main

import (
	"cmp"
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
	"holdfast/remedy"
)

// restoreResult is the result of a restore, for --json. Snapshot, To and Whole are set
// before the restore begins, the rest at the end.
type restoreResult struct {
	Snapshot report.Snapshot `json:"snapshot"`
	To       string          `json:"to"`
	Files    int64           `json:"files"`
	Bytes    int64           `json:"bytes"`
	Packs    int             `json:"packs"`
	Resumed  bool            `json:"resumed,omitempty"`
	Seconds  float64         `json:"seconds"`
	Missing  []string        `json:"missing,omitempty"` // from the snapshot itself
	Mixed    []string        `json:"mixed,omitempty"`   // perhaps a mix of two states
	Whole    string          `json:"whole,omitempty"`   // if files are missing: the last snapshot before with all files
	Lost     []string        `json:"lost,omitempty"`    // left out by --salvage
	Notes    []string        `json:"notes,omitempty"`
	Rest     []string        `json:"rest,omitempty"`    // tasks that a restore onto this machine leaves to a person
	Planned  bool            `json:"planned,omitempty"` // nothing was done

	missing int64  // how many files are missing, with a name or without
	what    string // the instance, or its restored parts
	damage  string // the note about a damaged database
}

// printPlan shows the plan of a restore before the restore begins.
func (v *restoreFlags) printPlan(t *terminal.Terminal, result *restoreResult, plan agent.RestorePlan) {
	s := result.Snapshot
	if t.JSON {
		t.Line("plan", s)
	}
	which := ""
	if plan.Newest {
		which = ", the newest"
	}
	t.Say("snapshot %s of %s%s", s.ID, s.Instance, which)
	t.Say("  as of     %s, %s ago", units.Time(s.Time), units.Age(s.Time))
	for _, part := range manifest.Parts {
		if total := plan.Totals[part]; total.Files > 0 {
			t.Say("  %-9s %s in %s", part, units.Size(total.Bytes), units.Count(total.Files, "file"))
		}
	}
	if len(v.paths) > 0 {
		t.Say("  only      %s", strings.Join(v.paths, ", "))
	}
	if v.to != "" {
		t.Say("  into      %s", v.to)
	}
	if plan.Short != nil && (v.plan || plan.Refusal() == nil) {
		t.Warn("%s", plan.Short)
	}
	if s.Missing > 0 {
		complete := ""
		if result.Whole != "" {
			complete = fmt.Sprintf("; snapshot %s, before it, is complete", result.Whole)
		}
		t.Warn("the snapshot is incomplete: the backup could not read %s as a whole%s",
			units.Count(s.Missing, "file"), complete)
	}
}

// warnLost names the files in damaged packs.
func warnLost(t *terminal.Terminal, err error) {
	var damage *remedy.DamageError
	if errors.As(err, &damage) {
		t.WarnEach("can't be restored: %s", damage.Lost)
	}
}

// printRestore shows the result of a restore. An incomplete restore is an error.
func printRestore(t *terminal.Terminal, r *restoreResult) error {
	t.Result = r
	if r.Planned {
		return nil
	}
	if r.Rest != nil {
		return cmp.Or(problem.DamagedDatabase(r.damage), missingFromSnapshot(t, r))
	}
	resumed := ""
	if r.Resumed {
		resumed = ", continuing an earlier run"
	}
	t.Say("✓ restored %s, %s, in %s%s; every byte was checked",
		units.Count(r.Files, "file"), units.Size(r.Bytes), units.Duration(time.Duration(r.Seconds*1e9)), resumed)
	for _, note := range r.Notes {
		if note != r.damage {
			t.Say("  %s", note)
		}
	}
	t.WarnEach("damaged, left out: %s", r.Lost)
	if err := problem.DamagedDatabase(r.damage); err != nil {
		return err
	}
	if len(r.Lost) > 0 {
		return &remedy.Error{Kind: remedy.Damage,
			What:   fmt.Sprintf("left out %s with damaged packs", units.Count(len(r.Lost), "file")),
			Effect: "everything else is restored", Fix: "look for the files in another snapshot or in a mirror"}
	}
	return missingFromSnapshot(t, r)
}

// missingFromSnapshot names the missing files, and returns the problem of the snapshot.
func missingFromSnapshot(t *terminal.Terminal, r *restoreResult) error {
	t.WarnEach("was missing when the snapshot was made: %s", r.Missing)
	t.WarnEach("changed while the backup read it, and is perhaps a mix of two states: %s", r.Mixed)
	return problem.MissingFromSnapshot(r.Snapshot.ID, r.Whole, r.missing, int64(len(r.Mixed)))
}
