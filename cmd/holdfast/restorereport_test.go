package main

import (
	"os"
	"strings"
	"testing"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
)

func TestPlanWarnsOfADiskThatIsTooSmall(t *testing.T) {
	for short, warns := range map[*agent.Shortage]bool{nil: false, {Dir: "/disk", Free: 1 << 20, Need: 1 << 62}: true} {
		var out strings.Builder
		v := restoreFlags{to: "/disk/restored"}
		v.printPlan(terminal.New(os.Stdin, &out, &out), &restoreResult{}, agent.RestorePlan{Short: short})
		const want = "! the disk of /disk has room for 1.0 MiB, and the restore needs 4.0 EiB"
		if got := strings.Contains(out.String(), want); got != warns {
			t.Errorf("%q", out.String())
		}
	}
}
