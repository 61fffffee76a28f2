// Package rebuild puts a whole instance back on a machine: a plan, without changes, then
// steps with a journal. Each step can be repeated: an interrupted run continues with the
// interrupted step.
//
//	(no journal) ──▶ user ──▶ fetch ──▶ database ──▶ media ──▶ files ─┐
//	                                                                  │
//	(no work folder) ◀── clear ◀── storage ◀── check ◀────────────────┘
//
// The journal names the current step, and is written before the step begins:
//
//	user      creates the Unix user and the groups of the server
//	fetch     restores the snapshot into the work folder, and checks each byte
//	database  moves or loads the database to its place
//	media     moves the media to their folder, or uploads the media to their bucket
//	files     moves configuration, units and certificates to their old paths
//	check     compares the database and the media with the snapshot's facts
//	storage   removes the fetched rest, then gives the server its folders
//	clear     removes the journal and the work folder
//
// The storage step comes after all steps with the work folder: from then on, the
// server's user may rename folders in the media folder. The server's unit is among the
// files; a person starts the server.
//
// A run continues an earlier run only if the requests are equal. The request does not
// include Options.Replace, because a later step may be the first to find a file in the
// way.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/rebuild/machine"
	"holdfast/rebuild/restored"
	"holdfast/remedy"
	"holdfast/vault"
)

// Rebuild is a run. A Rebuild holds the work folder from [Open] to Close.
type Rebuild struct {
	machine *machine.Machine
	snap    *vault.Snapshot
	request Request
	options Options
	work    *workFolder
	journal journal
}

// nothing is the effect of a refusal before the first step.
const nothing = "nothing was changed"

// Open reads the configuration, and with Options.Resume the journal of the unfinished
// run. Open changes nothing. If a run is unfinished and Options.Resume is not set, or the
// unfinished run restores a different snapshot, the error is an [UnfinishedError].
func Open(ctx context.Context, snap *vault.Snapshot, o Options) (*Rebuild, error) {
	m, err := machine.Open(ctx, snap, o.Options)
	if err != nil {
		return nil, err
	}
	r := &Rebuild{machine: m, snap: snap, request: newRequest(m, snap.Record.Name()), options: o}
	if r.work, err = findWorkFolder(m, o); err != nil {
		return nil, err
	}
	m.Folder = filepath.Join(r.work.path, "instance")
	if err := r.resume(); err != nil {
		return nil, errors.Join(err, r.work.close())
	}
	return r, nil
}

// Close lets other runs use the work folder. If a run is killed, the kernel does so.
func (r *Rebuild) Close() error { return r.work.close() }

// Domain is the name of the instance.
func (r *Rebuild) Domain() string { return r.machine.Domain }

// What names the instance, or the parts of the instance that the run restores.
func (r *Rebuild) What() string {
	parts := r.machine.PartNames()
	if parts == "" {
		return r.Domain()
	}
	return fmt.Sprintf("the %s of %s", strings.ReplaceAll(parts, ",", " and "), r.Domain())
}

// WorkFolder returns the folder for the fetched data until the end of the run.
func (r *Rebuild) WorkFolder() string { return r.work.path }

// resume reads the journal of an unfinished run, if possible.
func (r *Rebuild) resume() error {
	if err := r.work.lockExisting(); err != nil {
		return &remedy.Error{Err: err, Effect: nothing}
	}
	j, err := readJournal(r.work.journalFile())
	if err != nil {
		return err
	}
	if j.State == unbegun {
		return r.checkUnbegun()
	}
	if err := r.checkJournal(j); err != nil {
		return err
	}
	r.journal = j
	r.machine.RunID = j.runID()
	return nil
}

// checkUnbegun refuses Options.Resume without an unfinished run, and a work folder with
// unknown files.
func (r *Rebuild) checkUnbegun() error {
	if r.options.Resume {
		return refusal(
			"name by --work the folder of the unfinished restore, or leave out --resume to begin anew",
			"no restore of %s is unfinished in %s", r.Domain(), r.work.searchedPaths())
	}
	if r.work.hasStrangers() {
		return refusal("name another folder by --work, or move that folder away",
			"%s exists, and no restore made the folder", r.work.path)
	}
	return nil
}

// checkJournal refuses to continue a run with a different request.
func (r *Rebuild) checkJournal(j journal) error {
	isOther := j.Request.Snapshot != r.request.Snapshot
	switch {
	case isOther || !r.options.Resume:
		left := &UnfinishedError{WorkFolder: r.work.path, Snapshot: j.Request.Snapshot, Other: isOther}
		return &remedy.Error{Kind: remedy.Refused, Err: left, Effect: nothing}
	case j.Request != r.request:
		return refusal("repeat the flags of that restore, with --resume; or delete the folder",
			"the restore that is unfinished in %s was asked for other things: %s",
			r.work.path, j.Request.difference(r.request))
	}
	return nil
}

// refusal returns the error of a run without changes.
func refusal(fix, what string, args ...any) error {
	return &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf(what, args...), Effect: nothing, Fix: fix}
}

// UnfinishedError reports an interrupted run. A new run does not continue the
// interrupted run without Options.Resume.
type UnfinishedError struct {
	WorkFolder string
	Snapshot   manifest.Hash // of the unfinished run
	Other      bool          // the unfinished run restores a different snapshot
}

func (e *UnfinishedError) Error() string {
	if e.Other {
		return fmt.Sprintf("a restore of snapshot %s is unfinished in %s", e.SnapshotID(), e.WorkFolder)
	}
	return "a restore of this snapshot is unfinished in " + e.WorkFolder
}

// SnapshotID is the short name of the unfinished run's snapshot.
func (e *UnfinishedError) SnapshotID() string { return fmt.Sprintf("%.10s", e.Snapshot.Hex()) }

// Plan looks at the machine and asks for the server of the domain, and changes nothing.
// A continued run leaves out findings about the run's own work.
func (r *Rebuild) Plan(ctx context.Context) (findings []machine.Finding) {
	for _, f := range r.machine.Inspect(ctx, r.snap.Record.Parts, r.options.OldIsDead) {
		if !r.journal.causes(f.Subject) {
			findings = append(findings, f)
		}
	}
	return findings
}

// Observer follows a run.
type Observer interface {
	// Fetch calls job once, passes on job's error, and may show the progress
	// meanwhile.
	Fetch(ctx context.Context, p *vault.Progress, job func(context.Context) error) error

	// Fetched is called once the snapshot is in the work folder. If an earlier run
	// fetched the snapshot, Fetched is not called.
	Fetched(report *vault.RestoreReport)

	// Note is called with each note of a step, when the step ends.
	Note(text string)
}

// Report is the result of a run.
type Report struct {
	Fetched   vault.RestoreReport // zero if an earlier run fetched the snapshot
	Notes     []string            // of the steps in this run
	Remaining []string            // tasks for a person; nil if the instance is not rebuilt
	// Stray reports that the work folder stays, because the folder holds unknown files.
	Stray bool
}

// Run takes the remaining steps. After an error, a later run with an equal request can
// continue. The report is never nil.
func (r *Rebuild) Run(ctx context.Context, o Observer) (*Report, error) {
	report := new(Report)
	if err := r.begin(); err != nil {
		return report, err
	}
	for r.journal.State != clearUp {
		notes, err := r.step(ctx, o, report)
		if err != nil {
			return report, fmt.Errorf("%s: %w", r.journal.State, err)
		}
		for _, note := range notes {
			o.Note(note)
		}
		report.Notes = append(report.Notes, notes...)
		if err := r.journal.enter(successors[r.journal.State], r.work.journalFile()); err != nil {
			return report, err
		}
	}
	report.Remaining = r.machine.Remaining(ctx)
	var err error
	report.Stray, err = r.work.remove()
	return report, err
}

// begin makes work folder and journal, unless the run continues an earlier run.
func (r *Rebuild) begin() error {
	if err := r.work.create(); err != nil {
		return err
	}
	if r.journal.State != unbegun {
		return nil
	}
	r.journal = newJournal(r.request)
	r.machine.RunID = r.journal.runID()
	return r.journal.enter(successors[unbegun], r.work.journalFile())
}

// step takes the current step of the journal.
func (r *Rebuild) step(ctx context.Context, o Observer, report *Report) (notes []string, err error) {
	switch r.journal.State {
	case createUser:
		return r.machine.CreateUser(ctx)
	case fetch:
		return nil, r.fetch(ctx, o, report)
	case putDatabase:
		return r.machine.PutDatabase(ctx)
	case putMedia:
		return r.machine.PutMedia(ctx)
	case putFiles:
		return r.machine.PutFiles(ctx)
	case check:
		return r.machine.Check(ctx)
	case giveStorage:
		// While the fetched rest exists, no other user may be able to replace its folder.
		if err := os.RemoveAll(r.machine.Folder); err != nil {
			return nil, err
		}
		return nil, r.machine.GiveFolders()
	}
	return nil, fmt.Errorf("there is no step %q", r.journal.State)
}

// fetch restores the snapshot into the work folder.
func (r *Rebuild) fetch(ctx context.Context, o Observer, report *Report) error {
	folder := &restored.Folder{Path: r.machine.Folder, Verbatim: r.machine.Verbatim}
	isComplete := folder.IsComplete
	if !r.machine.Has(manifest.Database) {
		isComplete = folder.IsPublished
	}
	if isComplete() {
		return nil
	}
	p := new(vault.Progress)
	var fetched *vault.RestoreReport
	err := o.Fetch(ctx, p, func(ctx context.Context) (err error) {
		cfg := vault.RestoreConfig{Parts: r.machine.Parts, Progress: p}
		fetched, err = r.snap.Restore(ctx, folder.Path, folder, cfg)
		return err
	})
	if errors.Is(err, vault.ErrRefused) && isComplete() {
		return nil // an earlier run was killed while it removed the staging folder
	}
	if err != nil {
		return err
	}
	report.Fetched = *fetched
	o.Fetched(fetched)
	return nil
}

// Refusal is the error of the first finding that refuses the run, or nil.
func Refusal(findings []machine.Finding) error {
	for _, f := range findings {
		if f.Refused {
			return refusal(f.Fix, "%s: %s", f.Subject, f.Detail)
		}
	}
	return nil
}

// IsInTheWay reports whether a step found a file or a database in the way. Then
// Options.Replace helps.
func IsInTheWay(err error) bool {
	var there *disk.InTheWay
	return errors.As(err, &there)
}
