package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/remedy"
)

func TestPlanWarnsOfADiskThatIsTooSmall(t *testing.T) {
	short := &agent.Shortage{Dir: "/disk", Free: disk.Room{Bytes: 1 << 20}, Need: manifest.Total{Bytes: 1 << 62}}
	for short, warns := range map[*agent.Shortage]bool{nil: false, short: true} {
		var out strings.Builder
		v := restoreFlags{to: "/disk/restored"}
		v.printPlan(terminal.New(os.Stdin, &out, &out), &restoreResult{}, agent.RestorePlan{Short: short})
		const want = "! the disk of /disk has room for 1.0 MiB, and the restore needs 4.0 EiB"
		if got := strings.Contains(out.String(), want); got != warns {
			t.Errorf("%q", out.String())
		}
	}
}

// --verbatim restores a damaged database as it was. The exit code tells, whether the
// instance came back onto this machine or into a folder.
func TestDamagedDatabaseOfAVerbatimRestoreIsReported(t *testing.T) {
	for _, rest := range [][]string{nil, {"start GoToSocial"}} {
		err := printRestore(terminal.New(os.Stdin, io.Discard, io.Discard),
			&restoreResult{damage: "the database is damaged", Rest: rest})
		if !remedy.Is(err, remedy.Damage) {
			t.Errorf("rest %q: %v", rest, err)
		}
	}
}
