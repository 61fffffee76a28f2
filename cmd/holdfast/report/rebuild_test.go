package report

import (
	"os"
	"strings"
	"testing"

	"holdfast/cmd/holdfast/terminal"
	"holdfast/rebuild"
)

func TestRebuildSaysWhyTheWorkFolderStays(t *testing.T) {
	for _, stray := range []bool{true, false} {
		var out strings.Builder
		Stray(terminal.New(os.Stdin, &out, &out), &rebuild.Report{Stray: stray}, "/work")
		if strings.Contains(out.String(), "/work stays") != stray {
			t.Errorf("%v: %q", stray, out.String())
		}
	}
}
