package disk

import (
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
)

// Root may do everything. CheckAccess answers for the server's user.
func TestCheckAccessAnswersForTheUser(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := testkit.PublicDir(t)
	testkit.OK(t, os.Chmod(dir, 0o755))
	file, shut := filepath.Join(dir, "file"), filepath.Join(dir, "shut")
	testkit.Write(t, file, "")
	testkit.OK(t, os.MkdirAll(filepath.Join(shut, "open"), 0o777))
	testkit.OK(t, os.Chmod(filepath.Join(shut, "open"), 0o777))
	testkit.OK(t, os.Chmod(shut, 0o700))
	testkit.OK(t, os.Chmod(file, 0o660))
	ask := func(user, path string, want Access, may bool) {
		t.Helper()
		if err := CheckAccess(user, path, want); (err == nil) != may {
			t.Errorf("%s and %s: %v", user, path, err)
		}
	}
	ask("nobody:nogroup", dir, Reach, true)
	ask("nobody:nogroup", dir, Fill, false)
	ask("nobody:nogroup", file, Change, false)
	ask("nobody:root", file, Change, true)
	ask("nobody:nogroup", filepath.Join(shut, "open"), Fill, false) // shut is the folder above
	ask("no-such-user:", dir, Fill, false)
	ask("root:root", shut, Fill, true)
	testkit.OK(t, os.Chown(dir, testkit.Nobody, 0))
	ask("nobody:nogroup", dir, Fill, true)
	// Afterwards root is root.
	testkit.OK(t, os.Chown(shut, 1, 1))
	testkit.OK(t, os.WriteFile(filepath.Join(shut, "new"), nil, 0o600))
}
