package disk

import (
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
)

// A resumed restore takes a file that left the work folder for a file in its place.
func TestCopiedFileSurvivesALossOfPower(t *testing.T) {
	from, dir := filepath.Join(t.TempDir(), "key.pem"), t.TempDir()
	power := testkit.MountImage(t, dir)
	testkit.Write(t, from, "secret")
	testkit.OK(t, (&Mover{Run: "RUN"}).Move(from, filepath.Join(dir, "etc/certs/key.pem"), ""))
	file := filepath.Join(power.Survivors(t), "etc/certs/key.pem")
	if got, err := os.ReadFile(file); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
}
