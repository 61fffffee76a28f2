package machine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
)

func TestPrivateFolderComesBackPrivate(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := small(t)
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	testkit.OK(t, err)
	m := &Machine{Config: c, RunID: "RUN", User: "root:root", Folder: filepath.Join(dir, "work")}
	srv := filepath.Join(dir, "srv")[1:]
	m.Files = []manifest.File{
		{Part: manifest.Files, Path: srv, Mode: 0o755, User: "root:root", Folder: true},
		{Part: manifest.Files, Path: srv + "/private", Mode: 0o700, User: "nobody:nogroup", Folder: true},
		{Part: manifest.Files, Path: srv + "/private/empty", Mode: 0o750, User: "nobody:nogroup", Folder: true},
		{Part: manifest.Files, Path: srv + "/private/key\uFFFDFF", Name: []byte(srv + "/private/key\xff"),
			Mode: 0o644, User: "nobody:nogroup"},
	}
	testkit.Write(t, filepath.Join(m.Folder, "files", m.Files[3].TruePath()), "key")
	for range 2 { // a continued run repeats the step
		_, err := m.PutFiles(t.Context())
		testkit.OK(t, err)
	}
	for _, f := range m.Files {
		info, err := os.Stat("/" + f.TruePath())
		if err != nil || info.IsDir() != f.Folder || info.Mode().Perm() != os.FileMode(f.Mode) {
			t.Errorf("%s: %v, %v", f.Path, info, err)
			continue
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; (uid == testkit.Nobody) != (f.User == "nobody:nogroup") {
			t.Errorf("%s belongs to %d", f.Path, uid)
		}
	}
	// An existing folder keeps its mode.
	testkit.OK(t, os.Chmod("/"+srv+"/private", 0o711))
	_, err = m.PutFiles(t.Context())
	testkit.OK(t, err)
	if info, err := os.Stat("/" + srv + "/private"); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("%v, %v", info, err)
	}
	m.Files[0].Path, m.Files[0].User = srv+"/new", "nobodyknows:nobodyknows"
	var refused bool
	for _, f := range m.inspectFiles(t.Context()) {
		refused = refused || f.Refused && f.Fix != ""
	}
	if !refused {
		t.Error("the plan does not refuse a folder of an unknown user")
	}
}

// A person follows the plan's advice and repeats the restore with --replace.
func TestOwnConfigurationBehindALinkStays(t *testing.T) {
	dir := small(t)
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	testkit.OK(t, err)
	m := &Machine{Config: c, RunID: "RUN", Folder: filepath.Join(dir, "work"), Replace: true}
	link, target := dir[1:]+"/etc/holdfast.yaml", dir[1:]+"/srv/holdfast.yaml"
	m.Files = []manifest.File{
		{Part: manifest.Files, Path: link, Link: manifest.Link("/" + target)},
		{Part: manifest.Files, Path: target, Mode: 0o600, Holdfast: true},
	}
	for range 2 {
		testkit.Write(t, filepath.Join(m.Folder, "files", target), "of the old server")
		testkit.OK(t, os.MkdirAll(filepath.Join(m.Folder, "files", filepath.Dir(link)), 0o700))
		testkit.OK(t, os.Symlink("/"+target, filepath.Join(m.Folder, "files", link)))
		testkit.OK(t, os.MkdirAll("/"+filepath.Dir(link), 0o755))
		testkit.OK(t, os.WriteFile("/"+link, []byte("of this machine"), 0o600))
		var kept bool
		for _, f := range m.inspectFiles(t.Context()) {
			kept = kept || strings.Contains(f.Detail, "Holdfast's own configuration") && !f.Refused
		}
		if !kept {
			t.Error("the plan does not say that the file stays")
		}
		notes, err := m.PutFiles(t.Context())
		testkit.OK(t, err)
		if got := string(testkit.Read(t, "/"+link)); got != "of this machine" {
			t.Fatalf("%q", got)
		}
		const stays = " stays: Holdfast's configuration of the old"
		if text := strings.Join(notes, "\n"); !strings.Contains(text, "/"+link+stays) {
			t.Error(text)
		}
		testkit.OK(t, os.RemoveAll(m.Folder))
	}
}

func TestPlanRefusesALinkToAMissingFolder(t *testing.T) {
	dir := small(t)
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	testkit.OK(t, err)
	testkit.OK(t, os.Symlink("gone", filepath.Join(dir, "data")))
	m := &Machine{Config: c, Files: []manifest.File{{Part: manifest.Files, Path: dir[1:] + "/data", Folder: true}}}
	found := m.inspectFiles(t.Context())
	if len(found) != 1 || !found[0].Refused || !strings.Contains(found[0].Detail, "a link to a missing folder") {
		t.Errorf("%+v", found)
	}
}

// The server's user lays a link into the server's folder, and a restore as root follows.
func TestPlanRefusesALinkThatLeadsAway(t *testing.T) {
	testkit.NeedsRoot(t)
	dir, roots := testkit.PublicDir(t), testkit.PublicDir(t)
	testkit.OK(t, errors.Join(os.Chmod(dir, 0o755), os.Symlink(roots, dir+"/web"),
		os.Chown(dir, testkit.Nobody, testkit.Nobody), os.Lchown(dir+"/web", testkit.Nobody, testkit.Nobody)))
	m := machineIn(t, dir, dir+"/sqlite.db")
	m.RunID = "RUN"
	m.Files = []manifest.File{
		{Part: manifest.Files, Path: dir[1:] + "/web/page.conf", Mode: 0o644, User: "nobody:nogroup"},
	}
	testkit.Write(t, filepath.Join(m.Folder, "files", dir, "web/page.conf"), "page")
	var plan Finding
	for _, f := range m.Inspect(t.Context(), nil, true) {
		if f.Subject == FileSubject && f.Refused {
			plan = f
		}
	}
	if !strings.Contains(plan.Detail, dir+"/web belongs to nobody") || !strings.Contains(plan.Fix, "chown -h root") {
		t.Errorf("the plan says %+v", plan)
	}
	// The link may come after the plan.
	var refusal *remedy.Error
	_, err := m.PutFiles(t.Context())
	if !errors.As(err, &refusal) || refusal.Kind != remedy.Refused || refusal.Fix != plan.Fix {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(roots); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
