package machine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// add adds files with a text to the snapshot and to the restored folder.
func (m *Machine) add(t *testing.T, text string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		sum := manifest.Hash(sha256.Sum256([]byte(text)))
		m.Files = append(m.Files, manifest.File{Part: manifest.Files, Path: strings.TrimPrefix(path, "/"),
			Size: int64(len(text)), SHA256: &sum})
		testkit.Write(t, filepath.Join(m.Folder, "files", path), text)
	}
}

// plan returns the findings about files as a text.
func (m *Machine) plan(t *testing.T) (text string) {
	t.Helper()
	for _, f := range m.inspectFiles(t.Context()) {
		text += fmt.Sprintf("%s|%s|%v\n", f.Detail, f.Fix, f.Refused)
	}
	return text
}

// A person edits the snapshot's configuration and puts it where the server reads it.
func TestConfigurationThatWasGivenAtItsPlaceStays(t *testing.T) {
	dir := t.TempDir()
	m := machineIn(t, dir, dir+"/sqlite.db")
	m.User = ""
	m.Config.File, m.ConfigGiven = dir+"/config.yaml", true
	testkit.Write(t, m.Config.File, "edited")
	m.add(t, "old", m.Config.File)
	want := m.Config.File + " stays: --gotosocial names the file; the snapshot's version is restored as " +
		"config.yaml.from-snapshot||false\n"
	if got := m.plan(t); got != want {
		t.Errorf("the plan says %q, want %q", got, want)
	}
	for range 2 { // a run after an interruption finds its own work
		_, err := m.PutFiles(t.Context())
		testkit.OK(t, err)
		edited, old := testkit.Read(t, m.Config.File), testkit.Read(t, m.Config.File+".from-snapshot")
		if string(edited) != "edited" || string(old) != "old" {
			t.Errorf("the configuration is %q, the snapshot's %q", edited, old)
		}
	}
	for _, task := range m.Remaining(t.Context()) {
		if strings.Contains(task, "replace the snapshot's configuration") {
			t.Error(task)
		}
	}
}

// The templates of another version stop a server. Each release brings its own.
func TestWebFilesOfAnotherReleaseStay(t *testing.T) {
	for name, c := range map[string]struct {
		version string // of the installed server
		web     bool   // the release is unpacked
		stay    bool
	}{
		"newer":        {"0.21.0", true, true},
		"not unpacked": {"0.21.0", false, false},
		"the same":     {"0.20.0", true, false},
		"unknown":      {"", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			line := ""
			if c.version != "" {
				line = "gotosocial version " + c.version
			}
			dir := testkit.PublicDir(t)
			m := machineIn(t, dir, dir+"/sqlite.db")
			m.Config.Binary = machineWithServer(t, line, "").Config.Binary
			m.Facts.GoToSocial, m.User, m.Replace, m.Web = "0.20.0", "", true, m.Config.WebFolders()
			page, style, own := dir+"/web/template/page.tmpl", dir+"/web/assets/style.css", dir+"/web/assets/own.css"
			gone := dir + "/web/template/gone.tmpl"
			m.add(t, "old", page, gone, style, own)
			if c.web {
				testkit.Write(t, page, "new")
				testkit.Write(t, style, "new")
			}
			plan := m.plan(t)
			if got := strings.Contains(plan, page+" stays as it is"); got != c.stay {
				t.Errorf("the plan says:\n%s", plan)
			}
			notes, err := m.PutFiles(t.Context())
			testkit.OK(t, err)
			if got := strings.Contains(strings.Join(notes, "\n"), "3 files of the snapshot left out"); got != c.stay {
				t.Errorf("the notes are %q", notes)
			}
			want := map[bool]string{true: "new", false: "old"}[c.stay]
			for _, path := range []string{page, style} {
				if got := string(testkit.Read(t, path)); got != want {
					t.Errorf("%s is %q, want %q", path, got, want)
				}
			}
			if got := string(testkit.Read(t, own)); got != "old" {
				t.Errorf("the admin's own asset is %q", got)
			}
			if _, err := os.Stat(gone); errors.Is(err, fs.ErrNotExist) != c.stay {
				t.Errorf("the template that the new release lacks: %v", err)
			}
		})
	}
}

// A run after an interruption puts the rest of the templates beside those of the first.
func TestTemplatesAreCompleteAfterAnInterruption(t *testing.T) {
	dir := t.TempDir()
	m := machineIn(t, dir, dir+"/sqlite.db")
	m.User, m.Web = "", m.Config.WebFolders()
	m.add(t, "old", dir+"/web/template/a.tmpl", dir+"/web/template/b.tmpl")
	mover, err := m.mover()
	testkit.OK(t, err)
	testkit.OK(t, m.putFile(m.Files[0], mover))
	_, err = m.PutFiles(t.Context())
	testkit.OK(t, err)
	if got := testkit.Names(t, dir+"/web/template"); len(got) != 2 {
		t.Errorf("the folder holds %v", got)
	}
}

// Two hundred templates are one line of the plan.
func TestPlanShowsFoldersWithManyFilesOnce(t *testing.T) {
	dir := t.TempDir()
	m := machineIn(t, dir, dir+"/sqlite.db")
	m.User = ""
	for n := range 200 {
		m.add(t, "old", fmt.Sprintf("%s/web/template/%03d.tmpl", dir, n))
	}
	for n := range 30 {
		m.add(t, "old", fmt.Sprintf("%s/extra/%d/file", dir, n))
	}
	m.add(t, "old", dir+"/config.yaml", dir+"/unit.service")
	testkit.Write(t, dir+"/config.yaml", "another")
	want := fmt.Sprintf("%[1]s/extra: 30 files||false\n%[1]s/unit.service||false\n"+
		"%[1]s/web/template: 200 files||false\n"+
		"%[1]s/config.yaml is there already, with other contents|"+
		"--replace renames it to config.yaml.before-restore|true\n", dir)
	got := m.plan(t)
	for line := range strings.Lines(want) {
		if !strings.Contains(got, line) {
			t.Errorf("the plan lacks %q:\n%s", line, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 4 {
		t.Errorf("the plan has %d lines:\n%s", n, got)
	}
}
