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

// A restore asks the binary that the unit in the snapshot runs, as a backup does.
func TestLookAsksTheBinaryOfTheRestoredUnit(t *testing.T) {
	dir := small(t)
	testkit.OK(t, os.Chmod(filepath.Dir(dir), 0o755)) // nobody must reach the program
	testkit.OK(t, os.Chmod(dir, 0o755))
	testkit.OK(t, os.WriteFile(dir+"/gotosocial-custom", []byte("#!/bin/sh\necho gotosocial version 0.19.1\n"), 0o755))
	restored := t.TempDir()
	testkit.Write(t, filepath.Join(restored, "files/etc/gts/config.yaml"),
		"host: social.example.org\ndb-type: sqlite\ndb-address: "+
			"/nowhere/sqlite.db\n")
	testkit.Write(t, filepath.Join(restored, "files/etc/systemd/system/gts.service"),
		"[Service]\nUser=gts\nExecStart="+dir+"/gotosocial-custom --config-path /etc/gts/config.yaml server start\n")
	c, err := gotosocial.LoadRestored(os.DirFS(restored), "social.example.org", gotosocial.Server{})
	if err != nil {
		t.Fatal(err)
	}
	r := &Machine{Config: c, Domain: "127.0.0.1:1", Facts: manifest.Facts{Engine: gotosocial.SQLite,
		GoToSocial: "0.20.0"}, Folder: restored}
	if f := firstRefused(r.Inspect(t.Context(), nil, true)); f.Subject != "GoToSocial" || !strings.Contains(f.Detail,
		"is GoToSocial 0.19.1; the instance ran 0.20.0") {
		t.Errorf("%+v", f)
	}
}

func TestConfigurationThatWasGivenIsTheFirstThingLeftToDo(t *testing.T) {
	c, err := gotosocial.Load(small(t)+"/config.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, given := range []bool{true, false} {
		r := &Machine{Config: c, ConfigGiven: given, Replaced: "/etc/gts.yaml", User: "nobody:nogroup"}
		testkit.OK(t, os.Chmod(c.File, 0o600)) // the server never reads that file
		tasks := r.Remaining(t.Context())
		if strings.Contains(strings.Join(tasks, "\n"), "chown") {
			t.Errorf("given %v: %q", given, tasks)
		}
		first := tasks[0]
		if strings.Contains(first, "the restore went by "+c.File) != given ||
			strings.Contains(first, ": cp "+c.File+" /etc/gts.yaml") != given {
			t.Errorf("given %v: %s", given, first)
		}
	}
}

// firstRefused is the first finding that forbids a rebuild.
func firstRefused(findings []Finding) Finding {
	for _, f := range findings {
		if f.Refused {
			return f
		}
	}
	return Finding{}
}

// A person with a hundred lines on the screen reads the first ones.
func TestPlanBeginsWithTheThingsToDo(t *testing.T) {
	var got []string
	for _, f := range urgentFirst([]Finding{
		{Subject: DomainSubject}, {Subject: UserSubject}, {Subject: ServerSubject, Fix: "install"},
		{Subject: MediaSubject}, {Subject: FileSubject, Refused: true}, {Subject: SpaceSubject},
	}) {
		got = append(got, string(f.Subject))
	}
	if want := "domain user file GoToSocial media space"; strings.Join(got, " ") != want {
		t.Errorf("the order is %q, want %q", got, want)
	}
}

// The port of PostgreSQL on a new machine differs where two versions are installed.
func TestServerThatRefusesNamesTheWayToAnotherPort(t *testing.T) {
	for given, want := range map[bool]string{
		false: "holdfast cat 0123456789 files/etc/gts.yaml", true: "db-port in /etc/gts.yaml",
	} {
		c, err := gotosocial.Load("", []string{"GTS_HOST=example.org", "GTS_DB_TYPE=postgres", "GTS_DB_USER=gts",
			"GTS_DB_ADDRESS=127.0.0.1", "GTS_DB_PORT=1"})
		testkit.OK(t, err)
		c.File = "/etc/gts.yaml"
		m := &Machine{Config: c, Facts: manifest.Facts{Engine: gotosocial.Postgres}, Snapshot: "0123456789",
			ConfigGiven: given}
		f := firstRefused(m.inspectDatabase(t.Context()))
		if !strings.Contains(f.Fix, want) || !strings.Contains(f.Fix, "; for another server or port") {
			t.Errorf("%+v", f)
		}
	}
}
