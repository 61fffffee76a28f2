package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/agent"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

func TestHolderOfTheLockIsNamed(t *testing.T) {
	home := agent.Home{State: t.TempDir()}
	unlock, err := home.Lock("backup")
	testkit.OK(t, err)
	path := home.State + "/lock"
	signed, err := os.ReadFile(path)
	testkit.OK(t, err)
	// A killed process leaves its number, which may belong to another process now.
	for _, before := range []string{"", strings.Replace(string(signed), fmt.Sprint(os.Getpid()), "4194305", 1)} {
		synctest.Test(t, func(t *testing.T) {
			testkit.OK(t, os.WriteFile(path, []byte(before), 0o600))
			time.AfterFunc(300*time.Millisecond, func() {
				if err := os.WriteFile(path, signed, 0o600); err != nil {
					t.Error(err)
				}
			})
			_, err := home.Lock("backup")
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d on", os.Getpid())) {
				t.Errorf("after %q: %v", before, err)
			}
		})
	}
	// A holder without a signature.
	testkit.OK(t, os.Truncate(path, 0))
	synctest.Test(t, func(t *testing.T) {
		if _, err := home.Lock("backup"); !remedy.Is(err, remedy.Busy) {
			t.Errorf("%v", err)
		}
	})
	testkit.OK(t, unlock())
}

// A run by root in between must not lock the folder's user out.
func TestUnlockGivesRootsFilesToTheFoldersUser(t *testing.T) {
	testkit.NeedsRoot(t)
	home := agent.Home{State: t.TempDir()}
	outside := t.TempDir()
	testkit.Write(t, outside+"/secret", "root's")
	testkit.Write(t, home.State+"/spool/pack", "root's")
	testkit.OK(t, os.Symlink(outside, home.State+"/spool/folder"))
	testkit.OK(t, os.Symlink(outside+"/secret", home.State+"/spool/file"))
	testkit.OK(t, os.Chown(home.State, testkit.Nobody, testkit.Nobody))
	unlock, err := home.Lock("backup")
	testkit.OK(t, err)
	testkit.OK(t, unlock())
	for path, want := range map[string]int{
		home.State + "/lock": testkit.Nobody, home.State + "/spool": testkit.Nobody,
		home.State + "/spool/pack": testkit.Nobody, outside: 0, outside + "/secret": 0,
	} {
		if uid, gid := testkit.User(t, path); uid != want || gid != want {
			t.Errorf("%s belongs to %d:%d, want %d:%d", path, uid, gid, want, want)
		}
	}
}

// The folder's user may have put a link in the place of the lock.
func TestLockFollowsNoLink(t *testing.T) {
	home := agent.Home{State: t.TempDir()}
	target := filepath.Join(t.TempDir(), "target")
	testkit.Write(t, target, "precious")
	testkit.OK(t, os.Symlink(target, home.State+"/lock"))
	if _, err := home.Lock("backup"); !remedy.Is(err, remedy.Refused) {
		t.Errorf("%v", err)
	}
	if got := string(testkit.Read(t, target)); got != "precious" {
		t.Errorf("the target of the link is %q", got)
	}
}
