package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
)

// GoToSocial's own unit names a folder for compiled programs. Without the folder, or in a
// folder of root, the server does not start. systemd starts nothing in a missing folder.
func TestRestoreMakesTheFoldersThatTheUnitNames(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := testkit.PublicDir(t)
	cache, work := dir+"/cache/compiled", dir+"/work"
	c, err := gotosocial.Load("", []string{"GTS_HOST=example.org", "GTS_DB_TYPE=sqlite", "GTS_DB_ADDRESS=/nowhere/x.db",
		"GTS_WAZERO_COMPILATION_CACHE=" + cache})
	testkit.OK(t, err)
	c.Unit, c.WorkingDir = "/etc/systemd/system/gotosocial.service", work
	m := &Machine{Config: c, RunID: "RUN", User: "nobody:nogroup", Folder: dir + "/fetched"}
	if plan := m.inspectRunFolders(); len(plan) != 2 || !strings.HasPrefix(plan[0].Detail, work+": ") ||
		!strings.HasPrefix(plan[1].Detail, cache+": ") {
		t.Errorf("the plan: %+v", plan)
	}
	for range 2 { // a continued run repeats the step
		_, err := m.PutFiles(t.Context())
		testkit.OK(t, err)
	}
	for path, want := range map[string]int{work: 0, filepath.Dir(cache): 0, cache: testkit.Nobody} {
		info, err := os.Stat(path)
		testkit.OK(t, err)
		if uid, _ := testkit.User(t, path); uid != want || info.Mode().Perm() != 0o755 {
			t.Errorf("%s belongs to %d, mode %o", path, uid, info.Mode().Perm())
		}
	}
	if plan, tasks := m.inspectRunFolders(), m.letFill(); len(plan) > 0 || len(tasks) > 0 {
		t.Errorf("after the restore: %+v, %q", plan, tasks)
	}
	testkit.OK(t, os.Chown(cache, 0, 0))
	if tasks := m.letFill(); len(tasks) != 1 || !strings.HasSuffix(tasks[0], "chown -R nobody:nogroup "+cache) {
		t.Errorf("a cache of root: %q", tasks)
	}
	c.Container = true // the folders lie in the image
	if plan := m.inspectRunFolders(); len(plan) > 0 {
		t.Errorf("the plan of a container: %+v", plan)
	}
	mounts := "mounts a folder of this machine at " + cache
	if tasks := m.letFill(); len(tasks) != 1 || !strings.Contains(tasks[0], mounts) {
		t.Errorf("the tasks of a container: %q", tasks)
	}
	c.MapPaths(map[string]string{dir + "/cache": dir + "/ours"})
	_, err = m.PutFiles(t.Context())
	testkit.OK(t, err)
	if uid, _ := testkit.User(t, dir+"/ours/compiled"); uid != testkit.Nobody || len(m.letFill()) > 0 {
		t.Errorf("a mounted cache belongs to %d; the tasks: %q", uid, m.letFill())
	}
}
