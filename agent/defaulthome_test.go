package agent

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
)

// README gives the folders of the service to a user of its own, whose shells know no
// variables.
func TestServiceFolderIsThatOfItsUser(t *testing.T) {
	testkit.NeedsRoot(t)
	home, theirs, roots := testkit.PublicDir(t), testkit.PublicDir(t), testkit.PublicDir(t)
	testkit.OK(t, os.Chown(theirs, testkit.Nobody, testkit.Nobody))
	t.Setenv("XDG_CONFIG_HOME", "")
	for _, c := range []struct{ service, home, want string }{
		{theirs, home, theirs},
		{roots, home, filepath.Join(home, ".config", "holdfast")},
		{roots, home + "/missing", roots}, // the error tells root to make the folder
	} {
		t.Setenv("HOME", c.home)
		got := asNobody(t, func() string { return defaultFolder(c.service, "XDG_CONFIG_HOME", ".config") })
		if got != c.want {
			t.Errorf("beside %s, with the home %s, the folder is %s", c.service, c.home, got)
		}
	}
}

// asNobody calls a function as the user nobody. The thread ends with the call.
func asNobody(t *testing.T, call func() string) string {
	t.Helper()
	result := make(chan string)
	go func() {
		runtime.LockOSThread()
		const nobody = testkit.Nobody
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Error(errno)
		}
		result <- call()
	}()
	return <-result
}
