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

// machineWithServer is a machine whose unit runs a program that prints a version line.
// Without a line the program does not exist.
func machineWithServer(t *testing.T, line, ran string) *Machine {
	t.Helper()
	dir := testkit.PublicDir(t)
	testkit.OK(t, os.Chmod(dir, 0o755))
	program := filepath.Join(dir, "gotosocial")
	if line != "" {
		testkit.Write(t, program, "#!/bin/sh\necho '"+line+"'\n")
		testkit.OK(t, os.Chmod(program, 0o755))
	}
	// Another server on PATH is not the unit's.
	elsewhere := testkit.PublicDir(t)
	testkit.Write(t, elsewhere+"/gotosocial", "#!/bin/sh\necho gotosocial version 9.9.9\n")
	testkit.OK(t, os.Chmod(elsewhere+"/gotosocial", 0o755))
	t.Setenv("PATH", elsewhere+":"+os.Getenv("PATH"))
	c, err := gotosocial.Load("", []string{"GTS_HOST=example.org"})
	testkit.OK(t, err)
	c.Binary = program
	return &Machine{Config: c, Facts: manifest.Facts{GoToSocial: ran}}
}

func TestPlanRefusesAnOlderServerAndAsksAboutAnUnknownOne(t *testing.T) {
	for _, c := range []struct {
		line, ran string
		refused   bool
		fix       string // a part of the fix; "" is no fix
	}{
		{"gotosocial version 0.20.0", "0.20.0", false, ""},
		{"gotosocial version 0.20.0+git-abc1234", "0.20.0", false, ""},
		{"gotosocial version v0.20.1", "0.20.0", false, ""},
		{"gotosocial version 0.20.0-rc10", "0.20.0-rc2", false, ""},
		{"gotosocial version 0.20.0-rc1-10-gabc", "0.20.0-rc1-8-g57cb4fe74", false, ""},
		{"gotosocial version devel", "devel", false, ""},
		{"gotosocial version 0.19.2", "0.20.0", true, "/download/v0.20.0/gotosocial_0.20.0_linux_"},
		{"gotosocial version 0.20.0-rc1", "0.20.0-rc1-8-g57cb4fe74", true, "not older: https://"},
		{"gotosocial version devel", "0.20.0", false, "make sure that"},
		{"gotosocial version git-abc", "0.20.0", false, "make sure that"},
		{"gotosocial version 0.20.0", "devel", false, "make sure that"},
		{"gotosocial version 0.20.0", "", false, "make sure that"},
		{"gotosocial version ", "0.20.0", false, "make sure that"},
		{"", "0.20.0", false, "the unit runs /"},
		{"", "../../x", false, "not older: https://"},
	} {
		f := machineWithServer(t, c.line, c.ran).inspectServer(t.Context())
		if f.Refused != c.refused || !strings.Contains(f.Fix, c.fix) || (c.fix == "") != (f.Fix == "") {
			t.Errorf("%q after %q: %+v", c.line, c.ran, f)
		}
		if strings.Contains(f.Detail, "not installed") != (c.line == "") || strings.Contains(f.Fix, "../") {
			t.Errorf("%q after %q: %+v", c.line, c.ran, f)
		}
	}
}

// A snapshot may name any program of this machine, and any user.
func TestPlanRunsNoProgramThatOthersCanReplace(t *testing.T) {
	m := machineWithServer(t, "gotosocial version 0.20.0", "0.20.0")
	if f := m.inspectServer(t.Context()); !strings.Contains(f.Detail, "asked as user nobody, is GoToSocial 0.20.0") &&
		os.Geteuid() == 0 {
		t.Errorf("%+v", f)
	}
	folder := filepath.Dir(m.Config.Binary)
	for path, mode := range map[string]os.FileMode{m.Config.Binary: 0o777, folder: 0o777} {
		testkit.OK(t, os.Chmod(path, mode))
		if f := m.inspectServer(t.Context()); !strings.Contains(f.Detail, "refuse to run "+m.Config.Binary) ||
			!strings.Contains(f.Detail, ": others ") || !strings.HasPrefix(f.Fix, "make sure that") {
			t.Errorf("%s with mode %o: %+v", path, mode, f)
		}
		testkit.OK(t, os.Chmod(path, 0o755))
	}
}

func TestInstalledServerIsNoTaskForAPerson(t *testing.T) {
	for line, want := range map[string]bool{"gotosocial version 0.20.0": false, "": true} {
		tasks := machineWithServer(t, line, "0.20.0").Remaining(t.Context())
		if got := strings.Contains(strings.Join(tasks, "\n"), "install GoToSocial"); got != want {
			t.Errorf("%q: %q", line, tasks)
		}
	}
}
