package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/rebuild"
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

// rebuilding is a full restore: everything is fetched and checked in a folder of
// its own, then put in its place, step by step. Every step can be repeated.
type rebuilding struct {
	*rebuild.Rebuild
	verb     *restoreFlags
	app      *app
	snap     *vault.Snapshot
	work     string   // the folder
	searched []string // folders where an earlier one was looked for
	held     *os.File
}

// rebuild restores the whole instance onto this machine.
func (v *restoreFlags) rebuild(ctx context.Context, a *app, snap *vault.Snapshot, result *restoreResult) error {
	// Folders are as README says, whatever the shell would have.
	unix.Umask(0o022)
	rec := snap.Record
	r, err := v.newRebuilding(ctx, a, snap)
	if err != nil {
		return err
	}
	defer func() { r.held.Close() }() // the kernel lets go of it also where this is killed
	result.To = r.Config.Domain()
	begun, err := r.begun()
	if err != nil {
		return err
	}
	if err := r.look(ctx, begun); err != nil || v.plan {
		result.Planned = v.plan
		return err
	}
	if err := v.confirm(ctx, a, r.Domain); err != nil {
		return err
	}
	if err := r.steps(ctx, begun, result); err != nil {
		return v.unfinished(explain(ctx, err), r.work, rec.ID())
	}
	r.tellRest(ctx, result)
	result.missing = rec.Missing
	return r.clear()
}

// finish removes what is left of what was fetched, as long as nobody could put a
// folder of his own in its place; then the server gets its storage folder.
func (r *rebuilding) finish(ctx context.Context) ([]string, error) {
	if err := os.RemoveAll(r.From); err != nil {
		return nil, err
	}
	return r.GiveStorage(ctx)
}

// clear removes the journal, and the work folder where nobody put anything else
// into it.
func (r *rebuilding) clear() error {
	err := errors.Join(os.Remove(r.journalFile()), os.RemoveAll(r.journalFile()+".part"))
	if gone := os.Remove(r.work); errors.Is(gone, unix.ENOTEMPTY) {
		r.app.term.Say("! %s stays: there is something in it that no restore made", r.work)
	} else {
		err = errors.Join(err, gone)
	}
	return err
}

// newRebuilding finds out what belongs where, by GoToSocial's own configuration:
// that of --gotosocial, else the one in the snapshot.
func (v *restoreFlags) newRebuilding(ctx context.Context, a *app, snap *vault.Snapshot) (*rebuilding, error) {
	rec := snap.Record
	r := &rebuilding{verb: v, app: a, snap: snap, Rebuild: &rebuild.Rebuild{
		Facts: rec.Facts, Domain: rec.Instance, Replace: v.full.replace, Verbatim: v.verbatim, Given: v.full.gotosocial != "",
	}}
	for f, err := range snap.Files(ctx) {
		if err != nil {
			return nil, err
		}
		if f.Part == manifest.Files {
			f.Extents = nil
			r.Files = append(r.Files, f)
		}
	}
	var err error
	if r.Config, err = v.settings(ctx, snap, r.Files); err != nil {
		return nil, err
	}
	r.User = cmp.Or(v.full.user, rec.Facts.User, r.Config.RunsAs())
	if r.Config.Domain() != rec.Instance {
		return nil, &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("the snapshot is of %s, the configuration of %s", rec.Instance, r.Config.Domain()),
			Fix: "give the configuration of that instance by --gotosocial"}
	}
	if r.Bucket, err = media.OpenClient(r.Config, 0); err != nil {
		return nil, err
	}
	switch {
	case v.full.work != "": // never the folder itself: it is a person's
		r.work = filepath.Join(v.full.work, ".holdfast-"+rec.Instance)
		r.searched = []string{r.work}
	default:
		near, err := r.Near()
		if err != nil {
			return nil, err
		}
		r.work, r.searched = workFolder(cmp.Or(near, a.home.State), rec.Instance)
	}
	r.From = filepath.Join(r.work, "instance")
	return r, nil
}

// settings reads GoToSocial's configuration: a person's, else the snapshot's.
func (v *restoreFlags) settings(ctx context.Context, snap *vault.Snapshot, files []manifest.File) (*gotosocial.Config, error) {
	restored, err := v.restoredSettings(ctx, snap, files)
	if v.full.gotosocial == "" || ctx.Err() != nil {
		return restored, err
	}
	c, loadErr := gotosocial.Load(v.full.gotosocial, nil)
	if err == nil && loadErr == nil {
		c.RunLike(restored)
	}
	return c, loadErr
}

func (v *restoreFlags) restoredSettings(ctx context.Context, snap *vault.Snapshot, files []manifest.File) (c *gotosocial.Config, err error) {
	var paths []string
	for _, f := range files {
		// What could hold settings: GoToSocial's own example has 50 KiB.
		if !f.Missing && f.Size <= 1<<20 {
			paths = append(paths, string(f.Part)+"/"+f.Path)
		}
	}
	const fix = "give GoToSocial's configuration by --gotosocial; holdfast ls and cat get files of the snapshot"
	if len(paths) == 0 {
		return nil, usage(errors.New("the snapshot has no configuration of GoToSocial"), fix)
	}
	err = snap.Lend(ctx, &rebuild.Directory{Path: "/"}, vault.RestoreConfig{Paths: paths}, func(dir string) (err error) {
		if c, err = gotosocial.RestoredConfig(os.DirFS(dir), snap.Record.Instance); err != nil {
			err = usage(err, fix)
		}
		return err
	})
	return c, err
}

// journal says in the work folder whose it is and which steps are done.
type journal struct {
	Snapshot string   `json:"snapshot"` // the record's name
	Run      string   `json:"run"`      // a random word
	Wish     wish     `json:"wish"`
	Begun    []string `json:"begun"` // steps, done or not
	Done     []string `json:"done"`
}

// wish is what a restore was asked for: one that goes on must be asked the same.
// What may be renamed aside is not in it: a step may ask for that later.
type wish struct {
	Database, Storage, Config, User string
	Verbatim                        bool
}

func (r *rebuilding) wish() wish {
	return wish{r.DatabasePlace(), r.MediaPlace(), r.Config.File, r.User, r.Verbatim}
}

const journalName = "journal.json"

func (r *rebuilding) journalFile() string { return filepath.Join(r.work, journalName) }

// begun reads the journal of a restore that was cut off; nil where there is none.
func (r *rebuilding) begun() (*journal, error) {
	const nothing = "nothing was changed"
	refuse := func(err error, fix string) error {
		return &remedy.Error{Kind: remedy.Refused, Err: err, Effect: nothing, Fix: fix}
	}
	var err error
	if r.held, err = holdFolder(r.work); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, withEffect(err, nothing)
	}
	text, err := os.ReadFile(r.journalFile())
	resume := r.verb.full.resume
	switch {
	case errors.Is(err, fs.ErrNotExist) && resume:
		return nil, refuse(fmt.Errorf("no restore of %s is unfinished in %s", r.Domain, strings.Join(r.searched, " or in ")),
			"name by --work the folder that the unfinished one was given, or leave --resume away to begin anew")
	case errors.Is(err, fs.ErrNotExist):
		return nil, r.unused(refuse)
	case err != nil:
		return nil, err
	}
	var j journal
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, fmt.Errorf("read %s: %w", r.journalFile(), err)
	}
	id := fmt.Sprintf("%.10s", j.Snapshot)
	switch name := r.snap.Record.Name().Hex(); {
	case j.Snapshot != name:
		return nil, refuse(fmt.Errorf("a restore of snapshot %s is unfinished in %s", id, r.work), "remove the folder, or finish that one first:\n"+r.verb.again(id))
	case !resume:
		return nil, refuse(fmt.Errorf("a restore of this snapshot is unfinished in %s", r.work), "this goes on with it:\n"+r.verb.again(id))
	case j.Wish != r.wish():
		return nil, refuse(fmt.Errorf("the restore that is unfinished in %s was asked for other things: it was %+v, this is %+v", r.work, j.Wish, r.wish()),
			"repeat the flags of that one, with --resume; or remove the folder")
	}
	r.Run = j.Run
	return &j, nil
}

// unused refuses a folder without a journal that has anything in it: it is
// somebody's. One that was killed while it wrote the journal for the first time
// left nothing else.
func (r *rebuilding) unused(refuse func(err error, fix string) error) error {
	entries, err := os.ReadDir(r.work)
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), journalName) })
	if err == nil && len(entries) > 0 {
		return refuse(fmt.Errorf("%s is there, and no restore made it", r.work), "name another folder by --work, or move that away")
	}
	return nil
}

func (r *rebuilding) write(j *journal) error {
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	temp := r.journalFile() + ".part"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, r.journalFile())
}

// look shows the plan, and refuses where something speaks against it. Of a
// restore that goes on, it doesn't mind what that restore did.
func (r *rebuilding) look(ctx context.Context, begun *journal) error {
	a := r.app
	var refused *rebuild.Finding
	for _, f := range r.Look(ctx, r.snap.Record.Parts, r.verb.full.oldIsDead) {
		if begun.began(f.What) {
			continue
		}
		mark := "✓"
		if f.Fix != "" {
			mark = "!"
		}
		if f.Refused {
			mark = "✗"
			if refused == nil {
				refused = &f
			}
		}
		text := fmt.Sprintf("%s %-10s %s", mark, f.What, f.Detail)
		if f.Fix != "" {
			text += "\n  fix        " + f.Fix
		}
		a.term.Item("finding", f, text)
	}
	if refused == nil || r.verb.plan {
		return nil
	}
	return &remedy.Error{Kind: remedy.Refused, What: refused.What + ": " + refused.Detail, Effect: "nothing was changed", Fix: refused.Fix}
}

// began reports whether what a finding speaks of is this restore's own work.
func (j *journal) began(what string) bool {
	step := map[string]string{"database": "database", "media": "media", "space": "fetch", "file": "files"}[what]
	return j != nil && slices.Contains(j.Begun, step)
}

// confirm has a person type the domain: what follows writes all over this
// machine.
func (v *restoreFlags) confirm(ctx context.Context, a *app, domain string) error {
	typed := v.full.yes
	switch {
	case typed != "":
	case a.term.Interactive():
		var err error
		typed, err = a.term.Ask(ctx, fmt.Sprintf("\nThe restore will rebuild %s on this machine, as the plan says. Type the domain to begin: ", domain))
		if err != nil {
			return err
		}
	default:
		return &remedy.Error{Kind: remedy.Refused, What: "nobody confirmed the restore, and there is no terminal to ask", Effect: "nothing was changed",
			Fix: "--yes " + domain + " confirms it; --to DIR restores into a folder instead"}
	}
	if !strings.EqualFold(typed, domain) {
		return &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("%q is not %s", typed, domain), Effect: "nothing was changed", Fix: "type the domain as it stands in the plan"}
	}
	return nil
}

// steps does what is left to do.
func (r *rebuilding) steps(ctx context.Context, begun *journal, result *restoreResult) error {
	if err := r.makeFolder(); err != nil {
		return err
	}
	j := begun
	if j == nil {
		r.Run = rand.Text()
		j = &journal{Snapshot: r.snap.Record.Name().Hex(), Run: r.Run, Wish: r.wish()}
		if err := r.write(j); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) ([]string, error)
	}{
		{"user", r.MakeUser},
		{"fetch", func(ctx context.Context) ([]string, error) { return nil, r.fetch(ctx, result) }},
		{"database", r.Database},
		{"media", r.Media},
		{"files", r.Place},
		{"check", r.Check},
		{"storage", r.finish},
	} {
		if slices.Contains(j.Done, step.name) {
			continue
		}
		if !slices.Contains(j.Begun, step.name) {
			j.Begun = append(j.Begun, step.name)
			if err := r.write(j); err != nil {
				return err
			}
		}
		notes, err := step.do(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		for _, note := range notes {
			r.app.term.Say("✓ %s", note)
		}
		result.Notes = append(result.Notes, notes...)
		j.Done = append(j.Done, step.name)
		if err := r.write(j); err != nil {
			return err
		}
	}
	return nil
}

// fetch brings everything into the work folder, checked.
func (r *rebuilding) fetch(ctx context.Context, result *restoreResult) error {
	if r.fetched() {
		return nil
	}
	p := new(vault.Progress)
	var report *vault.RestoreReport
	err := r.app.term.Watch(ctx, "fetched", p, func(ctx context.Context) (err error) {
		report, err = r.snap.Restore(ctx, r.From, &rebuild.Directory{Path: r.From, Verbatim: r.Verbatim}, vault.RestoreConfig{Progress: p})
		return err
	})
	if errors.Is(err, vault.ErrRefused) && r.fetched() {
		return nil // an earlier run was killed while it cleared up
	}
	if err != nil {
		warnLost(r.app.term, err)
		return err
	}
	result.Files, result.Bytes, result.Packs, result.Resumed, result.Missing = report.Files, report.Bytes, report.Packs, report.Resumed, report.Missing
	r.app.term.Say("✓ fetched %s, %s; every byte was checked", units.Count(report.Files, "file"), units.Size(report.Bytes))
	return nil
}

// fetched reports whether an earlier run brought everything.
func (r *rebuilding) fetched() bool {
	_, err := os.Stat(filepath.Join(r.From, "run.env"))
	_, staged := os.Lstat(filepath.Join(r.From, ".holdfast-restore"))
	return err == nil && errors.Is(staged, fs.ErrNotExist)
}

// tellRest lists what is left for a person to do.
func (r *rebuilding) tellRest(ctx context.Context, result *restoreResult) {
	result.Rest = r.Rest(ctx)
	result.Seconds = time.Since(r.verb.began).Seconds()
	r.app.term.Say("\n%s is rebuilt on this machine, as it was at %s. What is left to do:", r.Domain, units.Time(r.snap.Record.Time))
	for n, text := range result.Rest {
		r.app.term.Say("  %d. %s", n+1, text)
	}
}
