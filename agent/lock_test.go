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

	"golang.org/x/sys/unix"

	"holdfast/agent"
	"holdfast/instance/sample"
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

// chown is no way out of a full or read-only disk.
func TestStateOnAnUnusableDiskNeedsNoOtherUser(t *testing.T) {
	for options, want := range map[string]error{"ro": unix.EROFS, "nr_inodes=1": unix.ENOSPC} {
		home := agent.Home{State: t.TempDir()}
		testkit.MountSmallDisk(t, home.State, "size=1m,mode=0700")
		testkit.OK(t, unix.Mount("", home.State, "", unix.MS_REMOUNT|map[string]uintptr{"ro": unix.MS_RDONLY}[options],
			strings.TrimPrefix(options, "ro")))
		_, err := home.Lock("backup")
		if said := (*remedy.Error)(nil); !errors.Is(err, want) || errors.As(err, &said) {
			t.Errorf("%s: %v", options, err)
		}
	}
	home := agent.Home{ConfigFile: t.TempDir() + "/holdfast.yaml", State: t.TempDir()}
	testkit.MountSmallDisk(t, home.State, "size=1m,mode=0700")
	testkit.OK(t, unix.Mount("", home.State, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	instance, err := sample.Make(filepath.Join(t.TempDir(), "instance"),
		sample.Config{Accounts: 2, Statuses: 2, Media: 1, MediaBytes: 100})
	testkit.OK(t, err)
	_, err = home.SetUp(t.Context(), agent.SetUpConfig{WithoutKit: true, Config: agent.Config{
		Instance: agent.InstanceConfig{GoToSocial: filepath.Join(instance.Dir, "config.yaml")},
		Remotes:  []agent.RemoteConfig{{URL: t.TempDir()}},
	}})
	said := (*remedy.Error)(nil)
	if !errors.As(err, &said) || !strings.HasPrefix(said.Fix, "mount that disk read-write") {
		t.Errorf("%v", err)
	}
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
