package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// A person copies the command from the plan, before the restore or after the restore.
func TestCommandThatInstallsTheServerKeepsTheTemplatesOfTheSnapshot(t *testing.T) {
	testkit.NeedsRoot(t)
	for name, c := range map[string]struct {
		program  string // below the folder of the server
		restored string // a file of the files part, below the folder; "" is none
		template string // its contents after the command
	}{
		"templates in the snapshot":    {"gotosocial", "web/template/page.tmpl", "own"},
		"another name of the program":  {"bin/gts server", "web/template/page.tmpl", "own"},
		"no templates in the snapshot": {"gotosocial", "", "release's"},
	} {
		t.Run(name, func(t *testing.T) {
			packed, dir := t.TempDir(), filepath.Join(testkit.PublicDir(t), "folder of the server")
			testkit.Write(t, packed+"/gotosocial", "#!/bin/sh\necho gotosocial version 0.20.0\n")
			testkit.OK(t, os.Chmod(packed+"/gotosocial", 0o755))
			testkit.Write(t, packed+"/web/template/page.tmpl", "release's")
			work := t.TempDir()
			tar := exec.Command("tar", "-czf", "", "--owner=1001", "--group=1001", "gotosocial", "web")

			m := machineWithServer(t, "", "0.20.0")
			m.Config.Binary = filepath.Join(dir, c.program)
			m.Web = []gotosocial.WebFolder{{Path: dir + "/web/template", IsTemplates: true}}
			if c.restored != "" {
				path := filepath.Join(dir, c.restored)
				m.Files = []manifest.File{{Part: manifest.Files, Path: path[1:], Size: 3}}
				testkit.Write(t, path, "own")
			}
			fix := m.inspectServer(t.Context()).Fix
			archive := regexp.MustCompile(`gotosocial_[^ ;]*gz`).FindString(fix)
			tar.Dir, tar.Args[2] = packed, filepath.Join(work, archive)
			testkit.OK(t, tar.Run())
			_, command, _ := strings.Cut(fix, m.Config.Binary+": ")
			command, _, _ = strings.Cut(command, " (")
			shell := exec.Command("sh", "-c", command)
			shell.Dir = work
			if out, err := shell.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", fix, err, out)
			}
			if f := m.inspectServer(t.Context()); f.Fix != "" {
				t.Errorf("after %s: %+v", command, f)
			}
			text, err := os.ReadFile(dir + "/web/template/page.tmpl")
			if string(text) != c.template {
				t.Errorf("after %s the template is %q, %v", command, text, err)
			}
		})
	}
}

// Root unpacks an archive, and the files get the number of the user who packed the archive.
func TestPlanNamesTheCommandForAProgramOfAnUnknownUser(t *testing.T) {
	testkit.NeedsRoot(t)
	m := machineWithServer(t, "gotosocial version 0.20.0", "0.20.0")
	testkit.OK(t, os.Lchown(m.Config.Binary, 4001, 4001))
	f := m.inspectServer(t.Context())
	command, _, found := strings.Cut(f.Fix, "; or make sure that")
	if !found {
		t.Fatalf("%+v", f)
	}
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	if f := m.inspectServer(t.Context()); f.Fix != "" {
		t.Errorf("after %s: %+v", command, f)
	}
}
