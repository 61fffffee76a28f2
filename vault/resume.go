package vault

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"holdfast/manifest"
)

// state is how far a restore is. The journal keeps the state across interruptions.
//
//	unplanned ──plan──▶ planned ──▶ checking ──▶ checked ──▶ complete ──▶ (no staging folder)
//	                     ▲ ▲  │         │           │           ▲
//	                     │ │  └─────────│───────────│───────────┘ without the database part
//	                     │ └────────────┘           │ the run was interrupted
//	                     └──────────────────────────┘ another target, or the machine was started anew
//
// Media and files arrive during planned, checking and checked.
type state string

const (
	unplanned state = ""         // there is no plan
	planned   state = "planned"  // packs arrive; every file is as the snapshot holds it
	checking  state = "checking" // the target checks and changes the database
	checked   state = "checked"  // the database is as the target wants it
	complete  state = "complete" // all files are durable, and get their final names
)

// successors are the states that may follow a state.
var successors = map[state][]state{
	unplanned: {planned},
	planned:   {checking, complete},
	checking:  {checked, planned},
	checked:   {complete, planned},
}

// journal is what a restore remembers across interruptions.
type journal struct {
	State   state
	Purpose purpose
	Boot    string           // the start of the machine since which files were written
	Target  string           // the target that checks the database, in JSON
	Missing []string         // files that the backup did not find
	Notes   []string         // of the target's check
	Lost    map[string]int64 // files that were left out as damaged, and their sizes
}

// enter moves the restore to a state, durably.
func (r *restore) enter(next state) error {
	if !slices.Contains(successors[r.journal.State], next) {
		return fmt.Errorf("restore: state %q can't follow %q", next, r.journal.State)
	}
	r.journal.State = next
	return r.plan.save(r.journal)
}

// purpose tells restores apart: a run continues only a restore with the same
// purpose. Whether to leave out damaged files, and the form of the database, may
// differ.
type purpose struct {
	Snapshot manifest.Hash
	Parts    []manifest.Part `json:",omitempty"`
	Paths    []string        `json:",omitempty"`
}

// String names the purpose for a person.
func (p purpose) String() string {
	text := fmt.Sprintf("snapshot %s", p.Snapshot)
	if only := p.only(); len(only) > 0 {
		text += " (only " + strings.Join(only, ", ") + ")"
	}
	return text
}

// only returns the chosen parts or paths, or nothing if all are chosen.
func (p purpose) only() (only []string) {
	if len(p.Paths) > 0 {
		return p.Paths
	}
	for _, part := range p.Parts {
		only = append(only, string(part))
	}
	return only
}

// resume brings the staging folder of an interrupted run to a state from which
// this run can continue.
func (r *restore) resume() error {
	if boot := bootID(); r.journal.Boot == "" || r.journal.Boot != boot {
		return r.startOver(boot)
	}
	target, err := r.targetID()
	if err != nil {
		return err
	}
	j := r.journal
	if j.State == checking || j.State == checked && j.Target != target {
		return r.refetchDatabase()
	}
	return nil
}

// startOver fetches everything again: files that were written before the machine
// was started anew may never have reached the disk.
func (r *restore) startOver(boot string) error {
	if err := r.empty(); err != nil {
		return err
	}
	if err := r.plan.refetchAll(); err != nil {
		return err
	}
	r.journal.State, r.journal.Boot = planned, boot
	return r.plan.save(r.journal)
}

// refetchDatabase removes a database that the target has changed, or was changing
// when the run ended.
func (r *restore) refetchDatabase() error {
	paths, err := r.plan.refetchPart(manifest.Database)
	if err != nil {
		return err
	}
	for _, path := range paths {
		// The names of SQLite's files beside a database begin with its name.
		left, err := fs.Glob(r.tree.FS(), path+"*")
		if err != nil {
			return err
		}
		for _, name := range left {
			if err := r.tree.Remove(name); err != nil {
				return err
			}
		}
	}
	return r.enter(planned)
}

// targetID tells targets apart that may change a database in different ways.
func (r *restore) targetID() (string, error) {
	text, err := json.Marshal(r.target)
	return string(text), err
}

// bootID names the time since the kernel was started; "" if unknown.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
