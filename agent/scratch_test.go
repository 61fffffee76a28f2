package agent

import (
	"os"
	"testing"

	"holdfast/internal/testkit"
)

func TestScratchLiesBesideTheTargetEvenWhereFoldersAreMissing(t *testing.T) {
	dir := t.TempDir()
	for to, want := range map[string]string{
		dir + "/restored":         dir,
		dir + "/not/yet/restored": dir,
		"":                        os.TempDir(),
	} {
		if got := ScratchFolder(to); got != want {
			t.Errorf("%q: %q, want %q", to, got, want)
		}
	}
}

// su may leave its user in a folder that this user may not enter.
func TestScratchFolderIsFoundFromAFolderThatIsGone(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err == nil {
		err = os.Remove(here)
	}
	testkit.OK(t, err)
	if dir := ScratchFolder(""); dir != os.TempDir() {
		t.Errorf("scratch files go to %q", dir)
	}
}
