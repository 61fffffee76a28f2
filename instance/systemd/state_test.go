package systemd

import (
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
)

func TestSystemctlOfAnotherUserNeverRuns(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := testkit.PublicDir(t)
	mark := filepath.Join(dir, "ran")
	fake := "#!/bin/sh\ntouch " + mark + "\necho ActiveState=active\necho MainPID=1\n"
	testkit.OK(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte(fake), 0o755))
	testkit.GiveTree(t, dir, testkit.Nobody, testkit.Nobody)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if running, _ := Running(t.Context(), "no-such-unit.service"); running {
		t.Error("a program of another user says that the unit runs")
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("root ran a program of another user")
	}
}
