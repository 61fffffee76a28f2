package machine

import (
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/instance/systemd"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// The last step never starts a server without its settings.
func TestStartNamesWhatTheOldServerStartedBy(t *testing.T) {
	unit := manifest.File{Part: manifest.Files, Path: "etc/systemd/system/gotosocial.service"}
	others := manifest.File{Part: manifest.Files, Path: "etc/systemd/system/holdfast.service"}
	for name, c := range map[string]struct {
		config gotosocial.Config
		files  []manifest.File
		want   string
	}{
		"unit": {gotosocial.Config{Unit: "/etc/systemd/system/gts.service"}, []manifest.File{others},
			"systemctl daemon-reload && systemctl enable --now gts.service"},
		"unit that may start the container": {gotosocial.Config{Container: true, Starter: "/p/compose.yml"},
			[]manifest.File{unit}, "systemctl daemon-reload && systemctl enable --now gotosocial.service"},
		"another program's unit": {gotosocial.Config{File: "/g/config.yaml", WorkingDir: "/g"}, []manifest.File{others},
			"gotosocial --config-path /g/config.yaml server start, in /g, as the server's user"},
		"compose file": {gotosocial.Config{Container: true, Starter: "/my project/compose.yml"}, nil,
			"cd '/my project' && docker compose up --detach"}, // reads compose.override.yml
		"compose file of another name": {gotosocial.Config{Container: true, Starter: "/p/gts.yml"}, nil,
			"cd /p && docker compose --file gts.yml up --detach"},
		"second compose file": {gotosocial.Config{Container: true, Starter: "/p/compose.yml"},
			[]manifest.File{{Part: manifest.Files, Path: "p/compose.yaml"}},
			"cd /p && docker compose --file compose.yml up --detach"},
		"quadlet": {gotosocial.Config{Container: true, Starter: "/etc/containers/systemd/social.container"}, nil,
			"systemctl daemon-reload && systemctl start social"},
		"quadlet of a user": {gotosocial.Config{Container: true,
			Starter: "/home/gts/.config/containers/systemd/social.container"}, nil,
			"systemctl --user daemon-reload && systemctl --user start social, as the user of the quadlet"},
		"container": {gotosocial.Config{Container: true, ServiceFiles: []string{"/p/own.env"}}, nil,
			"start the container as on the old machine, with the settings in /p/own.env " +
				"and the folders that the plan names"},
		"variables alone": {gotosocial.Config{WorkingDir: "/g", ServiceFiles: []string{"/etc/gts.env"}}, nil,
			"gotosocial server start, in /g, as the server's user, with the settings in /etc/gts.env"},
	} {
		if got := (&Machine{Config: &c.config, Files: c.files}).startCommand(); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}

// Without the settings the plan may lead the database and the media elsewhere.
func TestUnusableConfigurationOfHoldfastIsNamed(t *testing.T) {
	small := manifest.File{Part: manifest.Files, Path: "etc/g.yaml"}
	own := manifest.File{Part: manifest.Files, Path: "etc/h\uFFFDFF.yaml", Name: []byte("etc/h\xff.yaml"),
		Holdfast: true}
	large, missing := own, own
	large.Size, missing.Missing = systemd.MaxSettings+1, true
	for _, c := range []struct {
		file  manifest.File
		words string // of the error
	}{{own, ""}, {large, "is larger than"}, {missing, "lacks /etc/h"}} {
		at, err := ownConfiguration([]manifest.File{small, c.file})
		usable := c.words == ""
		if mayHoldSettings(&c.file) != usable || (at == "etc/h\xff.yaml") != usable || (err == nil) != usable {
			t.Errorf("%q, %v", at, err)
		}
		if err != nil && !strings.Contains(err.Error(), c.words) {
			t.Error(err)
		}
	}
}

func TestMovedFolderTakesItsFilesAlong(t *testing.T) {
	dir := small(t)
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	testkit.OK(t, err)
	c.MapPaths(map[string]string{"/gotosocial": "/srv/old", "/certs": "/srv/certs"})
	c.Container, c.Starter = true, "/srv/p/compose.yml"
	m := &Machine{Config: c}
	m.mapPaths(map[string]string{"/gotosocial/storage/": "/mnt/media", "/gotosocial": "/mnt/gts",
		"/certs": "/srv/certs"})
	for path, want := range map[string]string{
		"srv/old/config.yaml":   "/mnt/gts/config.yaml",
		"srv/old/storage/certs": "/mnt/media/certs",
		"srv/older/x":           "/srv/older/x",
		"srv/certs/key":         "/srv/certs/key",
	} {
		if got := m.pathOf(manifest.File{Path: path}); got != want {
			t.Errorf("%s goes to %s, want %s", path, got, want)
		}
	}
	if text := m.MovedText(); text != "/gotosocial=/mnt/gts,/gotosocial/storage=/mnt/media" {
		t.Error(text)
	}
	commas := &Machine{Moved: []MovedFolder{{Theirs: "/a", New: "/b,/c=/d"}}}
	if text := commas.MovedText(); text != `/a="/b,/c=/d"` {
		t.Error(text)
	}
	inner := []MovedFolder{{"/a/b", "/old/b", "/n/b"}, {"/a", "/old", "/n/a"}}
	if got := (&Machine{Moved: inner}).movedPath("/old/b/x"); got != "/n/b/x" {
		t.Errorf("a file of the inner folder goes to %s", got)
	}
	var fixes []string
	for _, f := range m.inspectPlaces() {
		fixes = append(fixes, f.Fix)
	}
	if all := strings.Join(fixes, "\n"); !strings.Contains(all, "mount /mnt/media at /gotosocial/storage, in place of "+
		"/srv/old/storage, in /srv/p/compose.yml") {
		t.Error(all)
	}
}

func TestPlanAndLastStepsNameWhatOverridesTheGivenFile(t *testing.T) {
	from := gotosocial.Origin{Kind: gotosocial.FromEnvironment, File: "/u"}
	c := &gotosocial.Config{File: "/new.yaml", Overriding: []gotosocial.Setting{{Key: "db-address", Origin: from}}}
	m := &Machine{Config: c, ConfigGiven: true}
	const want = "before the start, correct GTS_DB_ADDRESS in /u: it overrides db-address in /new.yaml"
	if found := m.inspectPlaces(); len(found) != 1 || found[0].Fix != want {
		t.Errorf("%+v", found)
	}
	if tasks := strings.Join(m.Remaining(t.Context()), "\n"); !strings.Contains(tasks, want) {
		t.Error(tasks)
	}
}
