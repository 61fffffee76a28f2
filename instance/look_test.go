package instance_test

import (
	"os"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/rebuild"
)

// A restore asks the binary that the unit in the snapshot runs, as a backup does.
func TestLookAsksTheBinaryOfTheRestoredUnit(t *testing.T) {
	dir := small(t, "WAL")
	belongToNobody(t, dir)
	script(t, dir, "echo gotosocial version 0.19.1")
	if err := os.Rename(dir+"/gotosocial", dir+"/gotosocial-custom"); err != nil {
		t.Fatal(err)
	}
	restored := t.TempDir()
	write(t, restored, "files/etc/gts/config.yaml", "host: social.example.org\ndb-type: sqlite\ndb-address: "+
		"/nowhere/sqlite.db\n")
	write(t, restored, "files/etc/systemd/system/gts.service",
		"[Service]\nUser=gts\nExecStart="+dir+"/gotosocial-custom --config-path /etc/gts/config.yaml server start\n")
	c, err := gotosocial.RestoredConfig(os.DirFS(restored), "social.example.org")
	if err != nil {
		t.Fatal(err)
	}
	r := &rebuild.Machine{Config: c, Domain: "127.0.0.1:1", Facts: manifest.Facts{Engine: gotosocial.SQLite,
		GoToSocial: "0.20.0"}, Folder: restored}
	if f := refused(r.Inspect(t.Context(), nil, true)); f.Subject != "GoToSocial" || !strings.Contains(f.Detail,
		"0.19.1 is installed") {
		t.Errorf("%+v", f)
	}
}

func TestConfigurationThatWasGivenIsTheFirstThingLeftToDo(t *testing.T) {
	c, err := gotosocial.Load(small(t, "WAL")+"/config.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, given := range []bool{true, false} {
		r := &rebuild.Machine{Config: c, ConfigGiven: given}
		if first := r.Remaining(t.Context())[0]; strings.Contains(first, "the restore went by "+c.File) != given {
			t.Errorf("given %v: %s", given, first)
		}
	}
}
