package agent

import (
	"os"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
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

func TestDiskThatIsTooSmallIsNamedBeforeARestore(t *testing.T) {
	to := t.TempDir() + "/restored"
	for need, short := range map[int64]bool{1: false, 1 << 62: true} {
		s := shortage(to, map[manifest.Part]manifest.Total{manifest.Media: {Files: 1, Bytes: need}})
		if (s != nil) != short {
			t.Errorf("%d bytes: %+v", need, s)
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
