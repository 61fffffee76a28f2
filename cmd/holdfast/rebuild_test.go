package main

import (
	"os"
	"strings"
	"testing"

	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/manifest"
	"holdfast/rebuild"
	"holdfast/remedy"
)

// The fix continues the unfinished restore, also if the command names another snapshot.
func TestUnfinishedRebuildIsNamed(t *testing.T) {
	a := newApp(terminal.New(os.Stdin, new(strings.Builder), new(strings.Builder)))
	for _, other := range []bool{true, false} {
		v := &restoreFlags{flags: restoreCommand(a).Flags()}
		left := &rebuild.UnfinishedError{WorkFolder: "/work", Snapshot: manifest.Hash{0x12, 0x34}, Other: other}
		err := &remedy.Error{Kind: remedy.Refused, Err: left, Effect: "nothing was changed"}
		p := problem.Explain(t.Context(), v.nameUnfinished(err))
		if p.Kind != remedy.Refused || p.Effect != "nothing was changed" ||
			!strings.HasSuffix(p.Fix, ":\nholdfast restore 1234000000 --resume") ||
			strings.Contains(p.Fix, "delete the folder") != other {
			t.Errorf("%v: %+v", other, p)
		}
	}
}
