package integration_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// newLinkedHost is a host whose server uses certbot's certificates, behind nginx.
func newLinkedHost(t *testing.T) *host {
	t.Helper()
	dir := t.TempDir()
	inst, err := sample.Make(filepath.Join(dir, "instance"), sample.Config{})
	testkit.OK(t, err)
	h := &host{t: t, dir: dir, inst: inst, config: filepath.Join(inst.Dir, "config.yaml"), remote: folder(t).url}
	etc := h.etc()
	for name, text := range map[string]string{
		"le/archive/d/cert1.pem": "old", "le/archive/d/cert2.pem": "new", "le/archive/d/privkey2.pem": "key",
		"nginx/sites-available/gotosocial": "server {}", "nginx/sites-available/other": "server {}",
	} {
		testkit.OK(t, os.MkdirAll(filepath.Dir(filepath.Join(etc, name)), 0o755))
		testkit.Write(t, filepath.Join(etc, name), []byte(text))
	}
	for name, to := range map[string]string{
		"le/live/d/cert.pem": "../../archive/d/cert2.pem", "le/live/d/privkey.pem": "../../archive/d/privkey2.pem", "le/gone": "nowhere", "le/round": "round",
		"nginx/sites-enabled/gotosocial": etc + "/nginx/sites-available/gotosocial",
	} {
		testkit.OK(t, os.MkdirAll(filepath.Dir(filepath.Join(etc, name)), 0o755))
		testkit.OK(t, os.Symlink(to, filepath.Join(etc, name)))
	}
	testkit.Write(t, h.config, append(testkit.Read(t, h.config), "tls-certificate-chain: "+etc+"/le/live/d/cert.pem\n"...))
	testkit.GiveTree(t, dir, testkit.Nobody, testkit.Nobody)
	h.holdfast("init", h.remote, "--gotosocial", h.config, "--kit", h.kit(), "--extra", etc+"/le", "--extra", etc+"/nginx/sites-enabled").start().expect(0)
	return h
}

func (h *host) etc() string { return filepath.Join(h.dir, "etc") }

// linkTree is every file below dir with its text, mode and owner, and every link.
func linkTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
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
		found[strings.TrimPrefix(path, dir+"/")] = info.Mode().String() + " " + text + info.ModTime().UTC().String()
		return nil
	}))
	return found
}

// wantLinks is what a restore gives back of etc: all but what nothing led to.
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
	if env := string(testkit.Read(t, filepath.Join(to, "run.env"))); !strings.Contains(env, `GTS_TLS_CERTIFICATE_CHAIN="`+filepath.Join(to, "files", h.etc(), "le/archive/d/cert2.pem")+`"`) {
		t.Errorf("%s", env)
	}

	// Onto a machine.
	m := newMachine(t, h)
	plan := m.restore("--plan").start().expect(0).stdout.String()
	if !strings.Contains(plan, h.etc()+`/le/live/d/cert.pem -\u003e ../../archive/d/cert2.pem`) {
		t.Errorf("the plan says nothing of where links lead:\n%s", plan)
	}
	m.restore("--yes", h.inst.Host(), "--verbatim").start().expect(0)
	m.compare(h, whole)
	sameLinks(t, filepath.Join(m.root, h.etc()), want)
	for name := range want {
		info, err := os.Lstat(filepath.Join(m.root, h.etc(), name))
		testkit.OK(t, err)
		if s := info.Sys().(*syscall.Stat_t); s.Uid != 65534 || s.Gid != 65534 {
			t.Errorf("%s belongs to %d:%d", name, s.Uid, s.Gid)
		}
	}

	// From another disk.
	other := newMachine(t, h)
	other.addDisk()
	other.restore("--yes", h.inst.Host(), "--verbatim", "--work", "/disk").start().expect(0)
	sameLinks(t, filepath.Join(other.root, h.etc()), want)
}

func TestLinkInTheWayIsRefusedUnlessItIsTheSame(t *testing.T) {
	t.Parallel()
	h := newLinkedHost(t)
	h.backup()
	want := h.wantLinks()
	m := newMachine(t, h)
	live := filepath.Join(m.root, h.etc(), "le/live/d")
	testkit.OK(t, os.MkdirAll(live, 0o755))
	testkit.OK(t, os.Symlink("../../archive/d/cert2.pem", filepath.Join(live, "cert.pem"))) // the same
	testkit.OK(t, os.Symlink("../../archive/d/privkey1.pem", filepath.Join(live, "privkey.pem")))
	refused := m.restore("--yes", h.inst.Host(), "--verbatim").start().expect(20)
	if !strings.Contains(refused.summary.Error, "privkey.pem") || !strings.Contains(refused.summary.Fix, "--replace") {
		t.Errorf("%+v", refused.summary)
	}
	m.restore("--yes", h.inst.Host(), "--verbatim", "--replace").start().expect(0)
	if got := testkit.Names(t, live); !slices.Equal(got, []string{"cert.pem", "privkey.pem", "privkey.pem.before-restore"}) {
		t.Errorf("%v", got)
	}
	aside := filepath.Join(live, "privkey.pem.before-restore")
	if to, err := os.Readlink(aside); to != "../../archive/d/privkey1.pem" || err != nil {
		t.Errorf("%s, %v", to, err)
	}
	testkit.OK(t, os.Remove(aside))
	got := linkTree(t, filepath.Join(m.root, h.etc()))
	// The one that was there is as it was.
	delete(got, "le/live/d/cert.pem")
	delete(want, "le/live/d/cert.pem")
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
