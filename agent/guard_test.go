package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/agent"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// Another user could put a kit with a key of their own in the place of the kit.
func TestKitInAFolderOfAnotherUserIsRefused(t *testing.T) {
	testkit.NeedsRoot(t)
	instance, err := sample.Make(filepath.Join(t.TempDir(), "instance"),
		sample.Config{Accounts: 2, Statuses: 2, Media: 1, MediaBytes: 100})
	testkit.OK(t, err)
	theirs, public := testkit.PublicDir(t), testkit.PublicDir(t)
	testkit.OK(t, os.Chown(theirs, testkit.Nobody, testkit.Nobody))
	for dir, refused := range map[string]bool{theirs: true, theirs + "/mine": true, public: false} {
		testkit.OK(t, os.MkdirAll(dir, 0o700))
		home := agent.Home{ConfigFile: t.TempDir() + "/holdfast.yaml", State: t.TempDir() + "/state"}
		config := agent.Config{
			Instance: agent.InstanceConfig{GoToSocial: filepath.Join(instance.Dir, "config.yaml")},
			Remotes:  []agent.RemoteConfig{{URL: t.TempDir()}},
		}
		s, err := home.SetUp(t.Context(), agent.SetUpConfig{KitFile: filepath.Join(dir, "kit.txt"), Config: config})
		if err == nil {
			testkit.OK(t, s.Close())
		}
		if got := remedy.Is(err, remedy.Refused) && strings.Contains(err.Error(), "recovery kit"); got != refused {
			t.Errorf("a kit in %s: refused %t, want %t: %v", dir, got, refused, err)
		}
	}
}
