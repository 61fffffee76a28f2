package vault

import (
	"fmt"
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
	Mixed   []string         // files that changed during every reading of the backup
	Checked Checked          // by the target
	Lost    map[string]int64 // files that were left out as damaged, and their sizes
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

// same reports whether two restores have one purpose.
func (p purpose) same(other purpose) bool {
	return p.Snapshot == other.Snapshot && slices.Equal(p.Parts, other.Parts) && slices.Equal(p.Paths, other.Paths)
}
