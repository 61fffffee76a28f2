package report

import (
	"holdfast/agent"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/internal/units"
	"holdfast/manifest"
)

// backupResult is the result of a backup, for --json.
type backupResult struct {
	Snapshot Snapshot `json:"snapshot"`
	Before   string   `json:"before,omitempty"` // the snapshot before
	Packs    int      `json:"packs"`
	Passes   int      `json:"passes"`
	NewFiles int64    `json:"new_files"`
	Seconds  float64  `json:"seconds"`
	// SameFiles of the NewFiles had their old bytes.
	SameFiles int64    `json:"same_files,omitempty"`
	Missing   []string `json:"missing,omitempty"`
	Mixed     []string `json:"mixed,omitempty"`    // changed during every reading
	LeftOut   []string `json:"left_out,omitempty"` // for example linked folders that no extra path saves
	Refused   []string `json:"refused,omitempty"`  // what a restore will refuse in the database
	Damage    bool     `json:"damage,omitempty"`
}

// Backup shows the result of a backup. An incomplete snapshot is an error, and so
// is damage in the storage.
func Backup(t *terminal.Terminal, report *agent.BackupReport) error {
	r := report.Saved
	s := NewSnapshot(r.Record)
	result := backupResult{Snapshot: s, Packs: r.Packs, Passes: r.Passes, NewFiles: r.NewFiles,
		SameFiles: r.SameFiles, Seconds: report.Duration.Seconds(), Missing: r.Missing, Mixed: r.Mixed,
		LeftOut: r.LeftOut, Refused: r.Refused, Damage: r.Damage}
	sign := "✓"
	if r.KeysGone {
		sign = "!"
	}
	t.Say("%s snapshot %s of %s saved in %s", sign, s.ID, s.Instance, units.Duration(report.Duration))
	for _, part := range manifest.Parts {
		if total := s.Parts[part]; total.Files > 0 {
			t.Say("  %-9s %10s   %s", part, units.Size(total.Bytes), units.Count(total.Files, "file"))
		}
	}
	t.Say("  read      %10s   %s of media and configuration new or changed", units.Size(s.Read),
		units.Count(r.NewFiles, "file"))
	if r.SameFiles > 0 {
		t.Say("                         %s of these with the old contents: only the time of the change is new",
			units.Count(r.SameFiles, "file"))
	}
	t.Say("  uploaded  %10s   %s", units.Size(s.Stored), units.Count(r.Packs, "pack"))
	if before := report.Previous; before != nil {
		result.Before = before.ID()
		t.Say("  before    %10s   %s older, %s", before.ID(), units.Duration(s.Time.Sub(before.Time)),
			units.Growth(s.Bytes()-NewSnapshot(before).Bytes()))
	}
	if r.Passes > 1 {
		t.Say("  uploads fell behind and the spool filled up, so the database was read %d times", r.Passes)
	}
	t.Say("  head      %s", s.Name)
	t.Result = result
	t.WarnEach("not saved: %s", r.Missing)
	t.WarnEach("changed while Holdfast read it: %s", r.Mixed)
	t.WarnEach("left out: %s", r.LeftOut)
	t.WarnEach("a restore will refuse the database: %s", r.Refused)
	if r.Damage {
		return problem.DamageBeside(r, s.ID, terminal.MaxShown)
	}
	for _, w := range r.Warnings {
		t.Warn("%s", w)
	}
	if len(r.Refused) > 0 {
		return problem.RefusedSchema(s.ID)
	}
	if len(r.Missing) == 0 && len(r.Mixed) > 0 {
		return problem.MixedFiles(s.ID, len(r.Mixed))
	}
	return problem.MissingFiles(s.ID, len(r.Missing), s.Parts[manifest.Media].Files)
}
