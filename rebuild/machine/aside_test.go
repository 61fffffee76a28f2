package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// GoToSocial reads each file beside a template as a template, and dies of an old one. A
// web server reads all of sites-enabled.
func TestReplacedFileIsOutOfAFolderThatIsReadWhole(t *testing.T) {
	dir := small(t)
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	testkit.OK(t, err)
	template, sites := dir+"/web/template", dir+"/nginx/sites-enabled"
	for _, folder := range []string{template, sites} {
		m := &Machine{Config: c, RunID: "RUN", Folder: dir + "/work",
			Web: []gotosocial.WebFolder{{Path: template, IsTemplates: true}}}
		// The machine has this GoToSocial, so the snapshot's templates are put in place.
		server := machineWithServer(t, "gotosocial version 0.20.0", "0.20.0")
		c.Binary, m.Facts = server.Config.Binary, server.Facts
		path := folder + "/page"
		testkit.Write(t, path, "old")
		m.Files = []manifest.File{{Part: manifest.Files, Path: path[1:], Mode: 0o644, Size: 3}}
		testkit.Write(t, m.Folder+"/files"+path, "new")
		place := folder + ".before-restore"

		if plan := m.inspectFiles(t.Context()); len(plan) != 1 || !strings.HasSuffix(plan[0].Fix, " "+place) {
			t.Errorf("without --replace: %+v", plan)
		}
		m.Replace = true
		if plan := m.inspectFiles(t.Context()); len(plan) != 1 || !strings.HasSuffix(plan[0].Detail, " "+place) {
			t.Errorf("with --replace: %+v", plan)
		}
		_, err := m.PutFiles(t.Context())
		testkit.OK(t, err)
		for path, want := range map[string]string{path: "new", place + "/page": "old"} {
			if text, err := os.ReadFile(path); string(text) != want {
				t.Errorf("%s has %q, %v", path, text, err)
			}
		}
		if entries, err := os.ReadDir(folder); len(entries) != 1 {
			t.Errorf("%s has %v, %v", folder, entries, err)
		}
	}
}
