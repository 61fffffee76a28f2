package agent_test

import (
	"errors"
	"fmt"
	"maps"
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

// Links in the folder of another user lead root anywhere.
func TestLockOfAnotherUsersStateIsRefused(t *testing.T) {
	testkit.NeedsRoot(t)
	for name, give := range map[string]func(dir string) error{
		"the folder": func(dir string) error {
			return os.Chown(dir+"/above/state", testkit.Nobody, testkit.Nobody)
		},
		"a folder above": func(dir string) error { return os.Chown(dir+"/above", testkit.Nobody, testkit.Nobody) },
		"an open folder": func(dir string) error { return os.Chmod(dir+"/above/state", 0o777|os.ModeSticky) },
		"an open parent": func(dir string) error { return os.Chmod(dir+"/above", 0o777) },
		"a missing folder": func(dir string) error {
			return errors.Join(os.Remove(dir+"/above/state"), os.Chown(dir+"/above", testkit.Nobody, testkit.Nobody))
		},
		"a link's folder": func(dir string) error {
			return errors.Join(os.Rename(dir+"/above", dir+"/moved"), os.Symlink("moved", dir+"/above"),
				os.Chown(dir+"/moved", testkit.Nobody, testkit.Nobody))
		},
	} {
		dir := t.TempDir()
		home := agent.Home{State: dir + "/above/state"}
		testkit.OK(t, os.MkdirAll(home.State, 0o700))
		testkit.OK(t, give(dir))
		before := testkit.Tree(t, dir)
		if _, err := home.Lock("backup"); !remedy.Is(err, remedy.Refused) {
			t.Errorf("%s: %v", name, err)
		}
		if after := testkit.Tree(t, dir); !maps.Equal(before, after) {
			t.Errorf("%s: the refused run made %v of %v", name, after, before)
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

// A configuration runs commands (cmd:) as the user who reads the file.
func TestConfigurationThatAnotherUserCanChangeIsRefused(t *testing.T) {
	testkit.NeedsRoot(t)
	for name, give := range map[string]func(dir string) error{
		"":               func(string) error { return nil },
		"the file":       func(dir string) error { return os.Chown(dir+"/above/config.yaml", testkit.Nobody, 0) },
		"the folder":     func(dir string) error { return os.Chown(dir+"/above", testkit.Nobody, 0) },
		"an open folder": func(dir string) error { return os.Chmod(dir+"/above", 0o777) },
		"an open file":   func(dir string) error { return os.Chmod(dir+"/above/config.yaml", 0o620) },
		"a link's folder": func(dir string) error {
			return errors.Join(os.Rename(dir+"/above", dir+"/moved"), os.Mkdir(dir+"/above", 0o700),
				os.Symlink("../moved/config.yaml", dir+"/above/config.yaml"),
				os.Chown(dir+"/moved", testkit.Nobody, testkit.Nobody))
		},
	} {
		dir := t.TempDir()
		home := agent.Home{ConfigFile: dir + "/above/config.yaml", State: dir + "/state"}
		testkit.Write(t, home.ConfigFile, "remotes: [{url: /storage}]\n")
		testkit.OK(t, os.Chmod(home.ConfigFile, 0o600))
		testkit.OK(t, give(dir))
		if _, err := home.Config(); (name == "") != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
