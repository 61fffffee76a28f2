package main

import (
	"os"
	"strings"
	"testing"

	"holdfast/manifest"
)

func TestScratchLiesBesideTheTargetEvenWhereFoldersAreMissing(t *testing.T) {
	dir := t.TempDir()
	for to, want := range map[string]string{
		dir + "/restored":         dir,
		dir + "/not/yet/restored": dir,
		"":                        os.TempDir(),
	} {
		if got := besides(to); got != want {
			t.Errorf("%q: %q, want %q", to, got, want)
		}
	}
}

func TestDiskThatIsTooSmallIsNamedBeforeARestore(t *testing.T) {
	v := restoreVerb{to: t.TempDir() + "/restored"}
	for need, warns := range map[int64]bool{1: false, 1 << 62: true} {
		var out strings.Builder
		v.tellRoom(&app{err: &out}, map[manifest.Part]manifest.Total{manifest.Media: {Files: 1, Bytes: need}})
		if got := strings.Contains(out.String(), "this takes 4.0 EiB"); got != warns {
			t.Errorf("%d: %q", need, out.String())
		}
	}
}

// su leaves its user in a folder that he may not enter.
func TestScratchFolderIsFoundFromAFolderThatIsGone(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err == nil {
		err = os.Remove(here)
	}
	if err != nil {
		t.Fatal(err)
	}
	if dir := besides(""); dir != os.TempDir() {
		t.Errorf("scratch files go to %q", dir)
	}
}
