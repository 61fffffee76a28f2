package integration_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// newLinkedHost makes a host whose server uses certificates of certbot, and runs
// behind nginx.
func newLinkedHost(t *testing.T) *host {
	t.Helper()
	dir := t.TempDir()
	inst := copySample(t, filepath.Join(dir, "instance"), sample.Config{})
	h := &host{
		t: t, dir: dir, inst: inst, config: filepath.Join(inst.Dir, "config.yaml"), remote: folderRemote(t).url,
	}
	etc := h.etc()
	for name, text := range map[string]string{
		"le/archive/d/cert1.pem": "old", "le/archive/d/cert2.pem": "new", "le/archive/d/privkey2.pem": "key",
		"nginx/sites-available/gotosocial": "server {}", "nginx/sites-available/other": "server {}",
	} {
		testkit.Write(t, filepath.Join(etc, name), text)
	}
	for name, to := range map[string]string{
		"le/live/d/cert.pem": "../../archive/d/cert2.pem", "le/live/d/privkey.pem": "../../archive/d/privkey2.pem",
		"le/gone": "nowhere", "le/round": "round",
		"nginx/sites-enabled/gotosocial": etc + "/nginx/sites-available/gotosocial",
	} {
		testkit.OK(t, os.MkdirAll(filepath.Dir(filepath.Join(etc, name)), 0o755))
		testkit.OK(t, os.Symlink(to, filepath.Join(etc, name)))
	}
	chain := "tls-certificate-chain: " + etc + "/le/live/d/cert.pem\n"
	testkit.Write(t, h.config, string(testkit.Read(t, h.config))+chain)
	for _, theirs := range []string{inst.Dir, etc} { // the configuration of Holdfast stays root's
		testkit.GiveTree(t, theirs, testkit.Nobody, testkit.Nobody)
	}
	h.holdfast("init", h.remote, "--gotosocial", h.config, "--kit", h.kit(),
		"--extra", etc+"/le", "--extra", etc+"/nginx/sites-enabled").start().expect(0)
	return h
}

func (h *host) etc() string { return filepath.Join(h.dir, "etc") }

// linkTree returns all files and links below dir, with mode, time, and content or
// target.
func linkTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	testkit.OK(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		testkit.OK(t, err)
		text, err := os.Readlink(path)
		if err != nil {
			text = string(testkit.Read(t, path))
		}
		tree[strings.TrimPrefix(path, dir+"/")] = info.Mode().String() + " " + text + info.ModTime().UTC().String()
		return nil
	}))
	return tree
}

// wantLinks returns the files and links of etc that a restore gives back. No link
// leads to the configuration "other", so no backup holds that file.
func (h *host) wantLinks() map[string]string {
	h.t.Helper()
	want := linkTree(h.t, h.etc())
	delete(want, "nginx/sites-available/other")
	return want
}

func sameLinks(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if got := linkTree(t, dir); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCertbotsAndNginxsLinksComeBack(t *testing.T) {
	t.Parallel()
	h := newLinkedHost(t)
	h.backup()
	if again := h.backup(); again.Packs != 0 {
		t.Errorf("an unchanged instance stored %+v", again)
	}
	want, whole := h.wantLinks(), h.image()

	// Into a folder.
	to := h.restore("latest")
	sameLinks(t, filepath.Join(to, "files", h.etc()), want)
	chain := `GTS_TLS_CERTIFICATE_CHAIN="` + filepath.Join(to, "files", h.etc(), "le/archive/d/cert2.pem") + `"`
	if env := string(testkit.Read(t, filepath.Join(to, "run.env"))); !strings.Contains(env, chain) {
		t.Errorf("%s", env)
	}

	// Onto a machine.
	m := newMachine(t, h)
	plan := m.restore("--plan").start().expect(0).stdout.String()
	if !strings.Contains(plan, h.etc()+`/le/live/d/cert.pem -\u003e ../../archive/d/cert2.pem`) {
		t.Errorf("the plan does not show the targets of links:\n%s", plan)
	}
	m.restore("--yes", h.inst.Domain(), "--verbatim").start().expect(0)
	m.compare(h, whole)
	sameLinks(t, filepath.Join(m.root, h.etc()), want)
	for name := range want {
		m.belongToNobody(filepath.Join(h.etc(), name))
	}

	// From another disk.
	other := newMachine(t, h)
	other.addDisk()
	other.restore("--yes", h.inst.Domain(), "--verbatim", "--work", "/disk").start().expect(0)
	sameLinks(t, filepath.Join(other.root, h.etc()), want)
}

func TestRestoreRefusesToReplaceAnotherLink(t *testing.T) {
	t.Parallel()
	h := newLinkedHost(t)
	h.backup()
	want := h.wantLinks()
	m := newMachine(t, h)
	live := filepath.Join(m.root, h.etc(), "le/live/d")
	testkit.OK(t, os.MkdirAll(live, 0o755))
	testkit.OK(t, os.Symlink("../../archive/d/cert2.pem", filepath.Join(live, "cert.pem"))) // the same
	testkit.OK(t, os.Symlink("../../archive/d/privkey1.pem", filepath.Join(live, "privkey.pem")))
	m.restore("--yes", h.inst.Domain(), "--verbatim").start().expect(20).says("privkey.pem", "--replace")
	m.restore("--yes", h.inst.Domain(), "--verbatim", "--replace").start().expect(0)
	wantNames(t, live, "cert.pem", "privkey.pem", "privkey.pem.before-restore")
	aside := filepath.Join(live, "privkey.pem.before-restore")
	if to, err := os.Readlink(aside); to != "../../archive/d/privkey1.pem" || err != nil {
		t.Errorf("%s, %v", to, err)
	}
	testkit.OK(t, os.Remove(aside))
	got := linkTree(t, filepath.Join(m.root, h.etc()))
	// The equal link kept its own time.
	delete(got, "le/live/d/cert.pem")
	delete(want, "le/live/d/cert.pem")
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
