package main

import (
	"fmt"
	"strings"
	"time"

	"holdfast/manifest"
)

// snapshot is a snapshot as the output shows it.
type snapshot struct {
	ID         string                           `json:"id"`
	Name       string                           `json:"name"` // what --expect-head takes whole
	Sequence   int64                            `json:"sequence"`
	Instance   string                           `json:"instance"`
	Time       time.Time                        `json:"time"`
	Finished   time.Time                        `json:"finished"`
	Engine     string                           `json:"engine,omitempty"`
	GoToSocial string                           `json:"gotosocial,omitempty"`
	Migration  string                           `json:"migration,omitempty"`
	Accounts   int64                            `json:"accounts,omitempty"`
	Statuses   int64                            `json:"statuses,omitempty"`
	Parts      map[manifest.Part]manifest.Total `json:"parts"`
	Stored     int64                            `json:"stored"`
	Read       int64                            `json:"read"`
	Missing    int64                            `json:"missing"`
}

func newSnapshot(r *manifest.Record) snapshot {
	return snapshot{
		ID: r.ID(), Name: r.Name().Hex(), Sequence: r.Sequence, Instance: r.Instance, Time: r.Time, Finished: r.Finished,
		Engine: r.Facts.Engine, GoToSocial: r.Facts.GoToSocial, Migration: r.Facts.Migration, Accounts: r.Facts.Accounts, Statuses: r.Facts.Statuses,
		Parts: r.Parts, Stored: r.Stored, Read: r.Read, Missing: r.Missing,
	}
}

// bytes is the snapshot's size: what a restore of all of it writes.
func (s snapshot) bytes() int64 {
	var n int64
	for _, total := range s.Parts {
		n += total.Bytes
	}
	return n
}

// backupResult is what backup did, for --json.
type backupResult struct {
	Snapshot snapshot `json:"snapshot"`
	Before   string   `json:"before,omitempty"` // the snapshot before it
	Packs    int      `json:"packs"`
	Passes   int      `json:"passes"`
	NewFiles int64    `json:"new_files"`
	Seconds  float64  `json:"seconds"`
	Missing  []string `json:"missing,omitempty"`
	LeftOut  []string `json:"left_out,omitempty"` // folders that links lead to and nothing saves
	Damage   bool     `json:"damage,omitempty"`
}

// shown bounds the lists that people have to read.
const shown = 20

// tellBackup prints what a backup did, and returns the problem that comes with
// a snapshot that is saved and not quite right.
func (a *app) tellBackup(r *backupReport) error {
	s := newSnapshot(r.Record)
	result := backupResult{Snapshot: s, Packs: r.Packs, Passes: r.Passes, NewFiles: r.NewFiles,
		Seconds: r.took.Seconds(), Missing: r.Missing, LeftOut: r.LeftOut, Damage: r.Damage}
	sign := "✓"
	if r.KeysGone {
		sign = "!"
	}
	a.say("%s snapshot %s of %s saved in %s", sign, s.ID, s.Instance, took(r.took))
	for _, part := range manifest.Parts {
		if total := s.Parts[part]; total.Files > 0 {
			a.say("  %-9s %10s   %s", part, size(total.Bytes), count(total.Files, "file"))
		}
	}
	a.say("  read      %10s   %s of media and configuration new or changed", size(s.Read), count(r.NewFiles, "file"))
	a.say("  uploaded  %10s   %s", size(s.Stored), count(int64(r.Packs), "pack"))
	if r.before != nil {
		result.Before = r.before.ID()
		a.say("  before    %10s   %s older, %s", r.before.ID(), took(s.Time.Sub(r.before.Time)), growth(s.bytes()-newSnapshot(r.before).bytes()))
	}
	if r.Passes > 1 {
		a.say("  the database was read in %d passes: the storage was slower than the spool is large", r.Passes)
	}
	a.say("  head      %s", s.Name)
	a.result = result
	a.warnAll("not saved: %s", r.Missing)
	a.warnAll("left out: %s", r.LeftOut)
	if r.Damage {
		p := &problem{exit: exitDamage, effect: strings.Join(r.Warnings[:min(shown, len(r.Warnings))], "\n"),
			fix: strings.Join(append(r.Fixes, "holdfast verify --data all names what is damaged and which snapshots that hurts"), "\n")}
		switch {
		case r.KeysGone:
			p.err = fmt.Errorf("nobody can restore anything: no key object is left in the storage; snapshot %s is stored there, and is of no use without one", s.ID)
		case len(r.Missing) > 0:
			p.err = fmt.Errorf("snapshot %s is saved, without %s, and damage was found in the storage", s.ID, count(int64(len(r.Missing)), "file"))
		default:
			p.err = fmt.Errorf("snapshot %s is saved, whole, and damage was found in the storage", s.ID)
		}
		return p
	}
	for _, w := range r.Warnings {
		a.warn("%s", w)
	}
	if n := int64(len(r.Missing)); n > 0 {
		fix := "put files that are gone back, if you have them elsewhere, let Holdfast's user read the others, or take them out of the extra paths; then run it again"
		if n > s.Parts[manifest.Media].Files {
			fix = "is the disk of the media directory mounted, and storage-local-base-path right, or of a bucket storage-s3-bucket and storage-s3-key-prefix? Mend that and run it again; if the files are lost, put them back from an earlier snapshot"
		}
		return &problem{exit: exitIncomplete, err: fmt.Errorf("snapshot %s is saved, but %s could not be read", s.ID, count(n, "file")),
			effect: "everything else is in the snapshot; a restore brings it back without these", fix: fix}
	}
	return nil
}

func growth(bytes int64) string {
	if bytes < 0 {
		return size(-bytes) + " smaller"
	}
	return size(bytes) + " larger"
}
