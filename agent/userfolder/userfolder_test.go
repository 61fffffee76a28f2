package userfolder

import (
	"os"
	"path/filepath"
	"testing"

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
		got := testkit.CallAsNobody(t, func() string { return Default(c.service, "XDG_CONFIG_HOME", ".config") })
		if got != c.want {
			t.Errorf("beside %s, with the home %s, the folder is %s", c.service, c.home, got)
		}
	}
}

// sudo -E keeps the variables of root, and a service may have a home folder of root.
func TestFolderOfAnotherUserIsNoHome(t *testing.T) {
	testkit.NeedsRoot(t)
	own, roots, open := testkit.PublicDir(t), testkit.PublicDir(t), testkit.PublicDir(t)
	testkit.OK(t, os.Chown(own, testkit.Nobody, testkit.Nobody))
	testkit.OK(t, os.Chmod(own, 0o700))
	for dir, mode := range map[string]os.FileMode{roots: 0o755, roots + "/closed": 0o700} {
		testkit.OK(t, os.MkdirAll(dir, mode))
		testkit.OK(t, os.Chmod(dir, mode))
	}
	testkit.OK(t, os.MkdirAll(roots+"/made/holdfast", 0o755))
	const none = "/no-folder-of-a-service"
	for _, c := range []struct{ variable, home, want string }{
		{"", roots, none},
		{"", roots + "/closed", none},
		{"", own, own + "/.config/holdfast"},
		{"", open, open + "/.config/holdfast"},
		{roots, own, own + "/.config/holdfast"},
		{roots + "/closed", own, own + "/.config/holdfast"},
		{roots + "/made", own, roots + "/made/holdfast"},
	} {
		t.Setenv("XDG_CONFIG_HOME", c.variable)
		t.Setenv("HOME", c.home)
		got := testkit.CallAsNobody(t, func() string { return Default(none, "XDG_CONFIG_HOME", ".config") })
		if got != c.want {
			t.Errorf("XDG_CONFIG_HOME=%s HOME=%s: %s, want %s", c.variable, c.home, got, c.want)
		}
	}
}
